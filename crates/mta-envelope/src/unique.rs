//! The id of this product family: sixteen characters `0-9A-Z` that carry their own age.
//!
//! Layout: `0`, the high three base-36 digits of the Unix time, `00`, three digits of the
//! process, the low three digits of the time, a four-digit sequence. One generator serves
//! envelope ids, Message-ids that the MTA supplies, and the names of log files.

const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Characters of queue-file names: 64, sorted so that base-64 digits compare like numbers.
const NAME_DIGITS: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Makes an id from seconds since 1970, the process number and a counter that must not repeat
/// within a second of one process (it is used modulo 36⁴).
#[must_use]
pub fn id(seconds: u64, pid: u32, sequence: u32) -> String {
    let mut text = String::with_capacity(16);
    text.push('0');
    push_base36(&mut text, seconds / 46_656, 3);
    text.push_str("00");
    push_base36(&mut text, u64::from(pid % 46_656), 3);
    push_base36(&mut text, seconds % 46_656, 3);
    push_base36(&mut text, u64::from(sequence % 1_679_616), 4);
    text
}

/// Seconds since 1970 of an id, if it has the form of one.
#[must_use]
pub fn id_time(id: &str) -> Option<u64> {
    if id.len() != 16 || !id.bytes().all(|b| DIGITS.contains(&b)) || &id[4..6] != "00" {
        return None;
    }
    let high = u64::from_str_radix(&id[..4], 36).ok()?;
    let low = u64::from_str_radix(&id[9..12], 36).ok()?;
    Some(high * 46_656 + low)
}

/// The unique part of a queue-file name: eleven characters, the first a letter. Six of time in
/// microseconds, five of process, thread and counter mixed by the caller into `mix`.
#[must_use]
pub fn file_part(microseconds: u64, mix: u64) -> String {
    let mut text = String::with_capacity(11);
    // 26 * 64^5 steps of 2^8 microseconds: the name repeats after some 84 days only.
    let time = microseconds >> 8;
    text.push(char::from(b'a' + ((time >> 30) % 26) as u8));
    push_base64(&mut text, time & ((1 << 30) - 1), 5);
    push_base64(
        &mut text,
        ((microseconds & 0xff) << 22) ^ (mix & ((1 << 30) - 1)),
        5,
    );
    text
}

fn push_base36(text: &mut String, value: u64, width: u32) {
    for place in (0..width).rev() {
        text.push(char::from(
            DIGITS[(value / 36_u64.pow(place) % 36) as usize],
        ));
    }
}

fn push_base64(text: &mut String, value: u64, width: u32) {
    for place in (0..width).rev() {
        text.push(char::from(
            NAME_DIGITS[(value >> (6 * place) & 63) as usize],
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_id_decodes_to_its_time() {
        assert_eq!(id_time("0KRH00A3QAO42T10"), Some(1_255_480_132));
    }

    #[test]
    fn made_id_decodes() {
        let id = id(1_790_000_000, 4711, 99);
        assert_eq!(id.len(), 16);
        assert_eq!(id_time(&id), Some(1_790_000_000));
    }

    #[test]
    fn file_part_is_eleven_legal_characters() {
        for micros in [0, 1, u64::MAX / 3, 1_790_000_000_000_000] {
            let part = file_part(micros, micros ^ 0xdead_beef);
            assert_eq!(part.len(), 11);
            assert!(
                part.starts_with(|c: char| c.is_ascii_alphabetic()),
                "{part}"
            );
        }
    }
}
