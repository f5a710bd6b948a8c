//! Chance that can be repeated.

/// A small generator whose seed is printed, so that a run can be repeated.
pub(crate) struct Dice(u64);

impl Dice {
    /// The seed of `IMTA_SEED`, or another one each time.
    pub(crate) fn seeded() -> Self {
        let seed = std::env::var("IMTA_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| u64::from(std::process::id()));
        println!("seed {seed} (IMTA_SEED={seed} repeats it)");
        Self(seed)
    }

    /// One of 0, 1 ... `sides` - 1.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
