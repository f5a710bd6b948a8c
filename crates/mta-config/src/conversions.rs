//! The words of the mapping table CONVERSIONS.

/// The channel for `Yes` without a name.
const USUAL: &str = "conversion";

/// The conversion channel that an output of CONVERSIONS names: a list of words with commas, in
/// either case. `Yes` means `conversion`, `Channel=name` another one; with `No`, or without either,
/// there is none.
#[must_use]
pub fn channel_of(output: &str) -> Option<&str> {
    let words = || output.split(',').map(str::trim);
    let is = |word: &str| words().any(|known| known.eq_ignore_ascii_case(word));
    let mut named = words().filter_map(|word| {
        let (name, channel) = word.split_once('=')?;
        name.eq_ignore_ascii_case("channel")
            .then_some(channel.trim())
    });
    let usual = is("yes").then_some(USUAL);
    named.next().or(usual).filter(|_| !is("no"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_a_channel() {
        for (output, channel) in [
            ("Yes", Some("conversion")),
            ("yes", Some("conversion")),
            ("Yes,Channel=scan", Some("scan")),
            ("Channel=scan,Yes,Preprocess", Some("scan")),
            ("No", None),
            ("No,Channel=scan", None),
            ("Maybe", None),
            ("", None),
        ] {
            assert_eq!(channel_of(output), channel, "{output}");
        }
    }
}
