//! Damaged files are never taken for whole ones.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::tests::{Area, BODY, HEADER, plan};

fn bytes_and_name() -> (Vec<u8>, FileName) {
    let area = Area::new();
    let placed = area.put(plan("tcp_local", 0), BODY).remove(0);
    (std::fs::read(&placed.path).unwrap(), placed.place.file)
}

fn read(bytes: &[u8], name: &FileName) -> Result<Contents, ReadError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Contents::read(&file, name, true)
}

#[test]
fn a_written_file_ends_as_documented() {
    let (bytes, _) = bytes_and_name();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [.., marker, end] = lines.as_slice() else {
        panic!("{text}");
    };
    let covered = text.len() - end.len() - 1;
    let crc = crc32c::crc32c(&text.as_bytes()[..covered]);
    assert_eq!(*end, format!("e;{} {crc:08x}", HEADER.len() + BODY.len()));
    assert!(crate::name::is_boundary(marker.as_bytes()));
    assert!(text.contains(&format!("\nq;{:012}\n", HEADER.len() + BODY.len())));
}

#[test]
fn a_file_cut_anywhere_is_not_whole() {
    let (bytes, name) = bytes_and_name();
    assert!(read(&bytes, &name).is_ok());
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len], &name).is_err(), "{len} octets");
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_not_whole() {
    let (mut bytes, name) = bytes_and_name();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(read(&bytes, &name).is_err(), "bit {bit} of octet {at}");
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_copy_under_another_name_is_foreign() {
    let (bytes, name) = bytes_and_name();
    let other = FileName::first("another").unwrap();
    let unique = name.unique().to_owned();
    match read(&bytes, &other) {
        Err(ReadError::Fault(fault)) => assert_eq!(fault, Fault::OtherName { unique }),
        other => panic!("{other:?}"),
    }
    assert!(read(&bytes, &name.held().with_attempts(7)).is_ok());
}

#[test]
fn zeros_as_a_power_cut_leaves_them_are_not_whole() {
    let (bytes, name) = bytes_and_name();
    assert!(read(&vec![0; bytes.len()], &name).is_err());
    let mut half = bytes.clone();
    half[bytes.len() / 2..].fill(0);
    assert!(read(&half, &name).is_err());
}

#[test]
fn an_endless_line_is_not_read_to_its_end() {
    let name = FileName::first("abc").unwrap();
    let endless = vec![b'x'; 10 * record::MAX_LINE];
    assert!(matches!(
        read(&endless, &name),
        Err(ReadError::Fault(Fault::NoBoundary))
    ));
}

#[test]
fn a_size_beyond_the_world_is_no_size() {
    let (bytes, name) = bytes_and_name();
    let text = String::from_utf8(bytes).unwrap();
    let size = format!("q;{:012}", HEADER.len() + BODY.len());
    let huge = text.replace(&size, &format!("q;{}", u64::MAX));
    assert!(read(huge.as_bytes(), &name).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        start in 0_usize..400,
        junk in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut bytes, name) = (HEADER.to_vec(), FileName::first("abc").unwrap());
        bytes.splice(start.min(bytes.len()).., junk);
        prop_assert!(read(&bytes, &name).is_err());
    }
}
