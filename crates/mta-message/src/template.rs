//! The texts of notices: `return_*.txt`, their `%` substitutions, and `return_option.opt`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Largest template that is read.
const MAX_TEMPLATE: u64 = 64 * 1024;

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It cannot be delivered.
    Failed,
    /// A postmaster returned it by hand.
    Bounced,
    /// It was tried for too long.
    TimedOut,
    /// It waits for a time its sender named.
    Deferred,
    /// It could not be delivered yet.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It went to a system that does not report.
    Forwarded,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Bounced,
        Self::TimedOut,
        Self::Deferred,
        Self::Delayed,
        Self::Delivered,
        Self::Forwarded,
    ];

    /// The word of file names and of the language probe.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Bounced => "bounced",
            Self::TimedOut => "timedout",
            Self::Deferred => "deferred",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Forwarded => "forwarded",
        }
    }

    /// The `Action:` of RFC 3464 §2.3.3.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Failed | Self::Bounced | Self::TimedOut => "failed",
            Self::Deferred | Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Forwarded => "relayed",
        }
    }

    /// The `Subject:`, unless an option says otherwise.
    #[must_use]
    pub const fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Delivery Notification: Delivery has failed",
            Self::Bounced => "Delivery Notification: Delivery has been manually aborted",
            Self::TimedOut => "Delivery Notification: Delivery has timed out and failed",
            Self::Deferred => "Delivery Notification: Delivery has been deferred",
            Self::Delayed => "Delivery Notification: Delivery has been delayed",
            Self::Delivered => "Delivery Notification: Delivery has been successful",
            Self::Forwarded => "Delivery Notification: Message successfully forwarded",
        }
    }

    const fn default_text(self) -> &'static str {
        match self {
            Self::Failed => "Your message cannot be delivered to the following recipients:%R\n",
            Self::Bounced => {
                "Your message is being returned. It was forced to return by the postmaster.\n\n\
                 The recipient list for this message was:%R\n"
            }
            Self::TimedOut => {
                "Your message could not be delivered after %C %U%s and has been returned.\n\
                 It was addressed to:%R\n"
            }
            Self::Deferred => {
                "Delivery of your message has been deferred for the following recipients:%R\n"
            }
            Self::Delayed => {
                "Your message has been enqueued and undeliverable for %C %U%s\n\
                 to the following recipients:%R\n\
                 The mail system will continue to try to deliver your message\n\
                 for an additional %L %U%s.\n"
            }
            Self::Delivered => {
                "Your message has been successfully delivered to the following recipients:%R\n"
            }
            Self::Forwarded => {
                "Your message has been successfully relayed to the following\n\
                 recipients, but the systems beyond may not confirm delivery:%R\n"
            }
        }
    }
}

const PREFIX: &str = "Content-type: text/plain; charset=us-ascii\nContent-language: EN-US\n\n\
     This report relates to a message you sent with the following header fields:%H\n";

/// The set of files a fresh installation has, with their contents.
#[must_use]
pub fn default_files() -> Vec<(String, String)> {
    let mut files = vec![("return_prefix.txt".to_owned(), PREFIX.to_owned())];
    for kind in Kind::ALL {
        let name = format!("return_{}.txt", kind.word());
        files.push((name, kind.default_text().to_owned()));
    }
    files.push(("return_suffix.txt".to_owned(), String::new()));
    files
}

/// All texts of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    prefix: String,
    suffix: String,
    texts: BTreeMap<Kind, String>,
    options: BTreeMap<String, String>,
}

impl Default for Templates {
    fn default() -> Self {
        let text = |kind: Kind| (kind, kind.default_text().to_owned());
        Self {
            prefix: PREFIX.to_owned(),
            suffix: String::new(),
            texts: Kind::ALL.map(text).into(),
            options: BTreeMap::new(),
        }
    }
}

impl Templates {
    /// Reads the files from the first of `directories` that has them; what is in none has its
    /// default.
    ///
    /// # Errors
    /// Those of reading a file that is there; [`io::ErrorKind::InvalidData`] when it is not
    /// UTF-8 or larger than 64 KiB.
    pub fn load(directories: &[PathBuf]) -> io::Result<Self> {
        let mut templates = Self::default();
        if let Some(text) = read(directories, "return_prefix.txt")? {
            templates.prefix = text;
        }
        if let Some(text) = read(directories, "return_suffix.txt")? {
            templates.suffix = text;
        }
        for kind in Kind::ALL {
            if let Some(text) = read(directories, &format!("return_{}.txt", kind.word()))? {
                templates.texts.insert(kind, text);
            }
        }
        let options = match read(directories, "return_option.opt")? {
            Some(text) => Some(text),
            None => read(directories, "return_option.dat")?,
        };
        if let Some(text) = options {
            templates.options = parse_options(&text);
        }
        Ok(templates)
    }

    /// An option of `return_option.opt`, by its upper-case name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Sets an option, whatever the file of options says.
    pub fn set_option(&mut self, name: &str, value: &str) {
        self.options.insert(name.to_owned(), value.to_owned());
    }

    /// Header lines and body of the notice's first part.
    pub(crate) fn first_part(&self, kind: Kind, values: &Values<'_>) -> (String, String) {
        let (header, prefix) = split_header(&self.prefix);
        let text = self.texts.get(&kind).map_or("", String::as_str);
        let mut body = String::new();
        for part in [prefix, text, &self.suffix] {
            self.expand(part, values, &mut body);
        }
        (header.to_owned(), body)
    }

    /// The charset that the prefix declares, in lower case.
    pub(crate) fn charset(&self) -> String {
        let (header, _) = split_header(&self.prefix);
        let lower = header.to_ascii_lowercase();
        let charset = lower.split("charset=").nth(1).unwrap_or("us-ascii");
        let end = |c: char| c == ';' || c.is_whitespace();
        let charset = charset.trim_start_matches('"').split(end).next();
        charset.unwrap_or("us-ascii").trim_matches('"').to_owned()
    }

    fn expand(&self, text: &str, values: &Values<'_>, out: &mut String) {
        let mut last = 1;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('H') => out.push_str(values.header),
                Some('R') => out.push_str(values.recipients),
                Some('C') => last = number(out, values.units.queued),
                Some('L') => last = number(out, values.units.left),
                Some('F') => last = number(out, values.units.total),
                Some(s @ ('S' | 's')) if last != 1 => out.push(s),
                Some('S' | 's') => {}
                Some('U') => out.push_str(&self.unit(values.units.hours)),
                Some('u') => out.push_str(&self.unit(values.units.hours).to_lowercase()),
                Some('%') => out.push('%'),
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            }
        }
    }

    fn unit(&self, hours: bool) -> String {
        let (name, word) = if hours {
            ("HOUR", "Hour")
        } else {
            ("DAY", "Day")
        };
        self.option(name).unwrap_or(word).to_owned()
    }
}

/// How long a message has been, may still be, and may be in all in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// `%C`.
    pub queued: u64,
    /// `%L`.
    pub left: u64,
    /// `%F`.
    pub total: u64,
    /// Hours and not days (`return_units`).
    pub hours: bool,
}

/// What the substitutions give.
pub(crate) struct Values<'a> {
    pub(crate) header: &'a str,
    pub(crate) recipients: &'a str,
    pub(crate) units: Units,
}

fn number(out: &mut String, number: u64) -> u64 {
    out.push_str(&number.to_string());
    number
}

/// The header lines at the top of the prefix, and the rest.
fn split_header(prefix: &str) -> (&str, &str) {
    if prefix.to_ascii_lowercase().starts_with("content-") {
        let end = prefix.find("\n\n").map_or(prefix.len(), |at| at + 1);
        (&prefix[..end], prefix.get(end + 1..).unwrap_or(""))
    } else {
        ("", prefix)
    }
}

fn parse_options(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with('!'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim().to_owned()))
        .collect()
}

fn read(directories: &[PathBuf], name: &str) -> io::Result<Option<String>> {
    for directory in directories {
        let file = match File::open(directory.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(MAX_TEMPLATE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_TEMPLATE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        return Ok(Some(text.replace("\r\n", "\n")));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str, units: Units) -> String {
        let values = Values {
            header: "<H>",
            recipients: "<R>",
            units,
        };
        let mut out = String::new();
        Templates::default().expand(text, &values, &mut out);
        out
    }

    #[test]
    fn substitutions_follow_the_number_before_them() {
        let days = Units {
            queued: 1,
            left: 3,
            total: 4,
            hours: false,
        };
        let hours = Units {
            hours: true,
            ..days
        };
        let table = [
            ("%C %U%s, %L %u%s of %F%S", days, "1 Day, 3 days of 4S"),
            ("%L %U%s", hours, "3 Hours"),
            ("%C %u%s", hours, "1 hour"),
            ("%H%R 100%% %x %", days, "<H><R> 100% %x %"),
        ];
        for (text, units, expected) in table {
            assert_eq!(expanded(text, units), expected);
        }
    }

    #[test]
    fn files_replace_the_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        put(
            "return_prefix.txt",
            "Content-type: text/plain; charset=\"UTF-8\"\n\nHallo:%H\n",
        )
        .unwrap();
        put(
            "return_option.opt",
            "! words\nday=Tag\n5.1.1 = gibt es nicht\n",
        )
        .unwrap();
        let empty = directory.path().join("missing");
        let templates = Templates::load(&[empty, directory.path().to_owned()]).unwrap();
        assert_eq!(templates.charset(), "utf-8");
        assert_eq!(templates.option("5.1.1"), Some("gibt es nicht"));
        let values = Values {
            header: "",
            recipients: " r",
            units: Units::default(),
        };
        let (header, body) = templates.first_part(Kind::Failed, &values);
        assert_eq!(header, "Content-type: text/plain; charset=\"UTF-8\"\n");
        assert!(body.starts_with("Hallo:\nYour message cannot"), "{body}");
        assert_eq!(templates.unit(false), "Tag");
    }

    #[test]
    fn a_template_that_is_too_large_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("return_failed.txt");
        std::fs::write(path, "x".repeat(70_000)).unwrap();
        let error = Templates::load(&[directory.path().to_owned()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn default_files_are_what_is_used_without_files() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in default_files() {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let loaded = Templates::load(&[directory.path().to_owned()]).unwrap();
        assert_eq!(loaded, Templates::default());
    }
}
