//! Reads LDIF content records (RFC 2849): names, values, folding, comments, base 64.
//!
//! Change records and values by URL are refused: this file is a state, not a history.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most octets a directory file may have.
pub const MAX_FILE: u64 = 512 * 1024 * 1024;

/// Most octets of one value.
const MAX_VALUE: usize = 1024 * 1024;

/// Why a file is no directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxFault {
    /// The file is no UTF-8.
    #[error("octets that are not UTF-8")]
    Encoding,
    /// A line without a colon.
    #[error("no colon in {0:?}")]
    NoColon(String),
    /// An attribute name with characters that none may have.
    #[error("illegal attribute name {0:?}")]
    Name(String),
    /// A record that does not begin with `dn:`.
    #[error("record does not begin with dn:")]
    NoDn,
    /// The text behind `::` is no base 64, or not UTF-8.
    #[error("value is not base 64 of UTF-8 text")]
    Base64,
    /// `changetype:`.
    #[error("change records are not accepted here")]
    Change,
    /// `attribute:< url`.
    #[error("values given by URL are not accepted here")]
    Url,
    /// A continuation line with nothing to continue.
    #[error("continuation line without a line before it")]
    Continuation,
    /// A value of more than a megabyte.
    #[error("value too long")]
    TooLong,
    /// Another version than 1.
    #[error("LDIF version {0:?} is not known")]
    Version(String),
}

/// One attribute value and the line it began at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Name in lower case, without options such as `;lang-de`.
    pub name: String,
    /// The value, decoded.
    pub value: String,
}

/// One entry as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line of its `dn:`, counted from 1.
    pub line: usize,
    /// The distinguished name.
    pub dn: String,
    /// Everything else, in order.
    pub attributes: Vec<Attribute>,
}

/// Reads a whole file.
///
/// # Errors
/// The number of the first line that is wrong, and what is wrong with it.
pub fn parse(content: &[u8]) -> Result<Vec<Record>, (usize, SyntaxFault)> {
    let text = std::str::from_utf8(content).map_err(|error| {
        let good = &content[..error.valid_up_to()];
        let line = 1 + good.iter().filter(|&&b| b == b'\n').count();
        (line, SyntaxFault::Encoding)
    })?;
    let mut records = Vec::new();
    let mut reader = Reader::default();
    for (at, line) in text.lines().enumerate() {
        reader.line(at + 1, line, &mut records)?;
    }
    reader.end_record(&mut records)?;
    Ok(records)
}

#[derive(Default)]
struct Reader {
    /// The logical line being put together.
    pending: Option<(usize, String)>,
    record: Option<Record>,
    comment: bool,
    /// Anything but comments and a version line was seen in this record.
    started: bool,
}

impl Reader {
    fn line(
        &mut self,
        number: usize,
        line: &str,
        records: &mut Vec<Record>,
    ) -> Result<(), (usize, SyntaxFault)> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(more) = line.strip_prefix(' ') {
            return match &mut self.pending {
                _ if self.comment => Ok(()),
                Some((start, text)) if text.len() + more.len() > MAX_VALUE => {
                    Err((*start, SyntaxFault::TooLong))
                }
                Some((_, text)) => {
                    text.push_str(more);
                    Ok(())
                }
                None => Err((number, SyntaxFault::Continuation)),
            };
        }
        self.comment = line.starts_with('#');
        if self.comment {
            return Ok(());
        }
        self.end_line()?;
        if line.is_empty() {
            return self.end_record(records);
        }
        self.pending = Some((number, line.to_owned()));
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), (usize, SyntaxFault)> {
        let Some((number, text)) = self.pending.take() else {
            return Ok(());
        };
        let attribute = attribute(&text).map_err(|fault| (number, fault))?;
        match &mut self.record {
            Some(_) if attribute.name == "changetype" => Err((number, SyntaxFault::Change)),
            Some(record) => {
                record.attributes.push(attribute);
                Ok(())
            }
            None if attribute.name == "version" && !self.started => {
                match attribute.value.as_str() {
                    "1" => Ok(()),
                    other => Err((number, SyntaxFault::Version(cut(other)))),
                }
            }
            None if attribute.name == "dn" => {
                self.started = true;
                self.record = Some(Record {
                    line: number,
                    dn: attribute.value,
                    attributes: Vec::new(),
                });
                Ok(())
            }
            None => Err((number, SyntaxFault::NoDn)),
        }
    }

    fn end_record(&mut self, records: &mut Vec<Record>) -> Result<(), (usize, SyntaxFault)> {
        self.end_line()?;
        records.extend(self.record.take());
        Ok(())
    }
}

fn attribute(text: &str) -> Result<Attribute, SyntaxFault> {
    let (name, rest) = text
        .split_once(':')
        .ok_or_else(|| SyntaxFault::NoColon(cut(text)))?;
    let base = name.split(';').next().unwrap_or(name);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if base.is_empty() || !base.chars().all(legal) {
        return Err(SyntaxFault::Name(cut(name)));
    }
    let value = if rest.starts_with('<') {
        return Err(SyntaxFault::Url);
    } else if let Some(coded) = rest.strip_prefix(':') {
        let octets = STANDARD
            .decode(coded.trim())
            .map_err(|_| SyntaxFault::Base64)?;
        String::from_utf8(octets).map_err(|_| SyntaxFault::Base64)?
    } else {
        rest.trim_start_matches(' ').to_owned()
    };
    Ok(Attribute {
        name: base.to_ascii_lowercase(),
        value,
    })
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_fold_and_decode() {
        let text = "version: 1\n# people\n\ndn: uid=ada,o=example.com\nmail: ada@exam\n \
                    ple.com\ncn:: w4RkYQ==\n# in between\n  of it\nuid;lang-en:ada\n\n\ndn: o=x\n";
        let records = parse(text.as_bytes()).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].line, 4);
        let pairs: Vec<_> = records[0]
            .attributes
            .iter()
            .map(|a| (a.name.as_str(), a.value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [("mail", "ada@example.com"), ("cn", "Äda"), ("uid", "ada")]
        );
    }

    #[test]
    fn faults_name_their_line() {
        let table = [
            (
                "dn: a\nmail ada\n",
                2,
                SyntaxFault::NoColon("mail ada".into()),
            ),
            ("\nmail: a\n", 2, SyntaxFault::NoDn),
            ("dn: a\nb\u{7}: c\n", 2, SyntaxFault::Name("b\u{7}".into())),
            ("dn: a\n\ndn: b\ncn:: ***\n", 4, SyntaxFault::Base64),
            ("dn: a\nchangetype: add\n", 2, SyntaxFault::Change),
            ("dn: a\njpegPhoto:< file:///x\n", 2, SyntaxFault::Url),
            (" dn: a\n", 1, SyntaxFault::Continuation),
            ("version: 2\n", 1, SyntaxFault::Version("2".into())),
        ];
        for (text, line, fault) in table {
            assert_eq!(parse(text.as_bytes()), Err((line, fault)), "{text:?}");
        }
        assert_eq!(parse(b"dn: a\ncn: \xff\n"), Err((2, SyntaxFault::Encoding)));
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(text in "(dn: [a-z=,]{0,9}|[a-z:; <#]{0,12}|\n| |\r){0,30}") {
            drop(parse(text.as_bytes()));
        }

        #[test]
        fn nor_do_octets(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&content));
        }

        #[test]
        fn values_come_out_as_they_went_in(value in any::<String>()) {
            let coded = STANDARD.encode(&value);
            let text = format!("dn: x\ncn:: {coded}\n");
            let records = parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&records[0].attributes[0].value, &value);
        }
    }
}
