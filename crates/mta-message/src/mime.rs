//! placeholder
/// A separator line from random octets.
#[must_use]
pub fn boundary(random: [u8; 22]) -> String {
    String::from_utf8_lossy(&random).into()
}
