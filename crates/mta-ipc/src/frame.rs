//! One frame: four bytes of length, most significant first, then that many bytes of bincode.
//!
//! The length is checked before anything is allocated, and the decoder has a limit of its own,
//! so that a length *inside* the body cannot ask for more memory than the frame has bytes.

use std::io::{Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{IpcError, PROTOCOL_VERSION};

/// Most bytes of a frame's body.
pub const LIMIT: usize = 64 * 1024;

/// Bytes of the length in front of a body.
pub const HEAD: usize = 4;

/// The first frame each way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`PROTOCOL_VERSION`] of the program.
    pub version: u32,
    /// The program's name, for logs.
    pub program: String,
}

impl Greeting {
    /// What `program` says first.
    #[must_use]
    pub fn of(program: &str) -> Self {
        Self {
            version: PROTOCOL_VERSION,
            program: program.to_owned(),
        }
    }

    /// Accepts a greeting of our own version.
    ///
    /// # Errors
    /// [`IpcError::Version`] for any other.
    pub fn check(self) -> Result<String, IpcError> {
        if self.version == PROTOCOL_VERSION {
            Ok(self.program)
        } else {
            Err(IpcError::Version {
                program: self.program.chars().take(40).collect(),
                theirs: self.version,
                ours: PROTOCOL_VERSION,
            })
        }
    }
}

fn form() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LIMIT>()
}

/// The body of a frame or packet.
///
/// # Errors
/// [`IpcError::TooLong`] if it would be over [`LIMIT`]; [`IpcError::Malformed`] if it cannot be
/// encoded at all.
pub fn body<T: Serialize>(message: &T) -> Result<Vec<u8>, IpcError> {
    let bytes =
        bincode::serde::encode_to_vec(message, form()).map_err(|error| IpcError::Malformed {
            reason: error.to_string(),
        })?;
    if bytes.len() > LIMIT {
        return Err(IpcError::TooLong {
            length: bytes.len(),
        });
    }
    Ok(bytes)
}

/// A whole frame.
///
/// # Errors
/// As [`body`].
pub fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, IpcError> {
    let body = body(message)?;
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    let length = u32::try_from(body.len()).expect("a body is at most LIMIT bytes");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads a body that is all there.
///
/// # Errors
/// [`IpcError::Malformed`] if it is no `T`, or if bytes are left over.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, IpcError> {
    match bincode::serde::decode_from_slice(body, form()) {
        Ok((message, used)) if used == body.len() => Ok(message),
        Ok((_, used)) => Err(IpcError::Malformed {
            reason: format!("{} bytes too many", body.len() - used),
        }),
        Err(error) => Err(IpcError::Malformed {
            reason: error.to_string(),
        }),
    }
}

/// How long the frame at the head of `bytes` is, head included, once its head is there.
///
/// # Errors
/// [`IpcError::TooLong`] if it announces more than [`LIMIT`].
pub fn announced(bytes: &[u8]) -> Result<Option<usize>, IpcError> {
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
    if length > LIMIT {
        return Err(IpcError::TooLong { length });
    }
    Ok(Some(HEAD + length))
}

/// Writes one frame to a blocking stream.
///
/// # Errors
/// As [`body`], and what the stream says.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T) -> Result<(), IpcError> {
    to.write_all(&frame(message)?)
        .map_err(IpcError::io("writing to another process"))
}

/// Reads one frame from a blocking stream.
///
/// # Errors
/// [`IpcError::Closed`] at the end of the stream, whether between frames or within one;
/// [`IpcError::TooLong`] and [`IpcError::Malformed`] as [`announced`] and [`parse`].
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<T, IpcError> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)
        .map_err(IpcError::io("reading from another process"))?;
    let whole = announced(&head)?.expect("the head is complete");
    let mut body = vec![0; whole - HEAD];
    from.read_exact(&mut body)
        .map_err(IpcError::io("reading from another process"))?;
    parse(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Greeting::of("imsimta")).unwrap();
        write(&mut bytes, &7_u64).unwrap();
        let mut stream = bytes.as_slice();
        assert_eq!(
            read::<Greeting>(&mut stream).unwrap().check().unwrap(),
            "imsimta"
        );
        assert_eq!(read::<u64>(&mut stream).unwrap(), 7);
        assert!(matches!(read::<u64>(&mut stream), Err(IpcError::Closed)));
    }

    #[test]
    fn long_frames_are_refused_before_they_are_read() {
        let mut stream = [0xff_u8, 0xff, 0xff, 0xff].as_slice();
        assert!(matches!(
            read::<u64>(&mut stream),
            Err(IpcError::TooLong { .. })
        ));
        assert!(matches!(
            frame(&vec![0_u8; LIMIT + 1]),
            Err(IpcError::TooLong { .. } | IpcError::Malformed { .. })
        ));
    }

    #[test]
    fn a_length_inside_the_body_buys_no_memory() {
        // A vector that claims 2^60 elements in a body of ten bytes.
        let mut body = vec![253];
        body.extend_from_slice(&(1_u64 << 60).to_le_bytes());
        assert!(matches!(
            parse::<Vec<u64>>(&body),
            Err(IpcError::Malformed { .. })
        ));
    }

    #[test]
    fn left_over_bytes_and_cut_frames_are_malformed() {
        assert!(matches!(
            parse::<u8>(&[1, 2]),
            Err(IpcError::Malformed { .. })
        ));
        let whole = frame(&Greeting::of("x")).unwrap();
        for cut in 0..whole.len() {
            let mut stream = &whole[..cut];
            assert!(read::<Greeting>(&mut stream).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn another_version_is_told_apart() {
        let greeting = Greeting {
            version: PROTOCOL_VERSION + 1,
            program: "dispatcher".to_owned(),
        };
        assert!(matches!(greeting.check(), Err(IpcError::Version { .. })));
    }
}
