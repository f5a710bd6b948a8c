//! Reports about messages: `multipart/report` as RFC 3462 and RFC 3464 ask for it, in the
//! product's layout.
//!
//! ```text
//! header                      Date, From, Subject, To, Message-id, MIME-version, Content-type
//! text/plain                  prefix + text of the kind + suffix, from the templates
//! message/delivery-status     one block about the message, one for each recipient
//! message/rfc822              the message, or text/rfc822-headers: its header
//! ```
//!
//! The second and third part are written octet by octet: nothing is encoded in them.

use std::io::{self, BufRead, Read, Write};

use mta_envelope::status::Report;

use crate::addresses::{self, encoded_words, written};
use crate::header::{self, Field, Header};
use crate::template::{Kind, Templates, Units, Values};

/// The fields that a notice shows of the message it is about, in this order.
const SHOWN: [&str; 5] = ["Message-id", "Date", "From", "To", "Subject"];

/// Longest line of a remote's words that is repeated.
const MAX_TEXT: usize = 900;

/// How much of the message comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// All of it.
    Full,
    /// Its header.
    Headers,
    /// Its header and the first lines of its body.
    FirstLines(usize),
}

/// One recipient of the message the notice is about.
#[derive(Debug, Clone)]
pub struct Reported<'a> {
    /// Where it went.
    pub address: &'a str,
    /// ORCPT: type and address.
    pub original: Option<(&'a str, &'a str)>,
    /// How it ended.
    pub report: &'a Report,
    /// Earlier attempts, a line each.
    pub history: Vec<String>,
}

/// A notice to be.
#[derive(Debug, Clone)]
pub struct Notice<'a> {
    /// What it tells.
    pub kind: Kind,
    /// Its texts.
    pub templates: &'a Templates,
    /// The name in `From:`, for example `Internet Mail Delivery`.
    pub personal: &'a str,
    /// The address in `From:`.
    pub from: &'a str,
    /// Whom it is for.
    pub to: &'a str,
    /// From [`crate::date`].
    pub date: &'a str,
    /// `ID@HOST`.
    pub message_id: &'a str,
    /// A line that occurs nowhere else, from [`crate::mime::boundary`].
    pub boundary: &'a str,
    /// The official local host name.
    pub host: &'a str,
    /// The official host name of the channel that reports.
    pub channel_host: &'a str,
    /// The message's envelope id.
    pub envelope_id: &'a str,
    /// When it arrived, from [`crate::date`].
    pub arrival: &'a str,
    /// Its header.
    pub header: &'a Header,
    /// The recipients that this notice is about.
    pub recipients: &'a [Reported<'a>],
    /// For the texts about time.
    pub units: Units,
    /// How much of it comes back.
    pub returned: Returned,
    /// What comes back holds octets over 127.
    pub eight_bit: bool,
}

impl Notice<'_> {
    /// Writes header and body of the notice; `body` is the body of the message it is about.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn write(&self, body: impl Read, mut out: impl Write) -> io::Result<()> {
        out.write_all(&self.outer_header())?;
        write!(out, "\n--{}\n", self.boundary)?;
        self.write_text(&mut out)?;
        write!(
            out,
            "\n--{}\nContent-type: message/delivery-status\n\n",
            self.boundary
        )?;
        self.write_status(&mut out)?;
        write!(out, "\n--{}\n", self.boundary)?;
        self.write_returned(body, &mut out)?;
        writeln!(out, "\n--{}--", self.boundary)
    }

    fn outer_header(&self) -> Vec<u8> {
        let option = |name, default| self.templates.option(name).unwrap_or(default);
        let personal = option("RETURN_PERSONAL", self.personal);
        let subject = option("SUBJECT", self.kind.subject());
        let subject = if subject.is_ascii() {
            subject.to_owned()
        } else {
            encoded_words(subject)
        };
        let report = format!(
            "multipart/report;\n boundary=\"{}\"; report-type=delivery-status",
            self.boundary
        );
        let fields = [
            ("Date", self.date.to_owned()),
            (
                "From",
                format!(
                    "{} <{}>",
                    written(personal, addresses::Kind::Personal),
                    self.from
                ),
            ),
            ("Subject", subject),
            ("To", self.to.to_owned()),
            ("Message-id", format!("<{}>", self.message_id)),
            ("MIME-version", "1.0".to_owned()),
            ("Content-type", report),
        ];
        let field = |(name, value): (&str, String)| Field::new(name, &value).raw().to_vec();
        let mut header = fields.map(field).concat();
        if self.eight_bit {
            header.extend_from_slice(EIGHT_BIT.as_bytes());
        }
        header
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let charset = self.templates.charset();
        let values = Values {
            header: &self.shown_header(&charset),
            recipients: &self.shown_recipients(&charset),
            units: self.units,
        };
        let (header, text) = self.templates.first_part(self.kind, &values);
        write!(out, "{header}\n{text}")?;
        if text.ends_with('\n') {
            return Ok(());
        }
        out.write_all(b"\n")
    }

    fn shown_header(&self, charset: &str) -> String {
        let mut shown = String::from("\n\n");
        for name in SHOWN {
            let Some(field) = self.header.get(name) else {
                continue;
            };
            let value = if charset == "utf-8" {
                field.decoded()
            } else {
                field.value()
            };
            shown.push_str(&format!("  {name}: {}\n", legible(&value, charset)));
        }
        shown
    }

    fn shown_recipients(&self, charset: &str) -> String {
        let mut shown = String::from("\n");
        for recipient in self.recipients {
            shown.push('\n');
            for (label, value) in self.lines_about(recipient) {
                let value = legible(&value, charset);
                shown.push_str(&format!("  {label}: {value}\n"));
            }
            let extra = self.templates.option(&recipient.report.status.to_string());
            if let Some(text) = extra {
                shown.push_str(&format!("  {}\n", legible(text, charset)));
            }
            for line in &recipient.history {
                shown.push_str(&format!("    {}\n", legible(line, charset)));
            }
        }
        shown
    }

    fn lines_about(&self, recipient: &Reported<'_>) -> Vec<(&str, String)> {
        let report = recipient.report;
        let original = recipient.original.map(|(_, address)| address);
        let table = [
            (
                "RECIPIENT_ADDRESS",
                "Recipient address",
                Some(recipient.address),
            ),
            (
                "ORIGINAL_ADDRESS",
                "Original address",
                original.filter(|original| *original != recipient.address),
            ),
            (
                "REASON",
                "Reason",
                Some(report.reason.as_str()).filter(|reason| !reason.is_empty()),
            ),
            (
                "DIAGNOSTIC_CODE",
                "Diagnostic code",
                report.diagnostic.as_deref(),
            ),
            ("REMOTE_SYSTEM", "Remote system", report.remote.as_deref()),
        ];
        let line = |(option, label, value): (&str, _, Option<&str>)| {
            let label = self.templates.option(option).unwrap_or(label);
            value.map(|value| (label, value.to_owned()))
        };
        table.into_iter().filter_map(line).collect()
    }

    fn write_status(&self, out: &mut impl Write) -> io::Result<()> {
        let reporting = format!("dns;{} ({})", self.host, self.channel_host);
        let mut fields = vec![
            status_field("Original-envelope-id", self.envelope_id),
            status_field("Reporting-MTA", &reporting),
            status_field("Arrival-date", self.arrival),
        ];
        for field in fields.drain(..) {
            out.write_all(field.raw())?;
        }
        for recipient in self.recipients {
            out.write_all(b"\n")?;
            for field in self.status_of(recipient) {
                out.write_all(field.raw())?;
            }
        }
        Ok(())
    }

    fn status_of(&self, recipient: &Reported<'_>) -> Vec<Field> {
        let report = recipient.report;
        let mut fields = Vec::with_capacity(6);
        if let Some((kind, address)) = recipient.original {
            let value = format!("{kind};{address}");
            fields.push(status_field("Original-recipient", &value));
        }
        let address = format!("rfc822;{}", recipient.address);
        fields.push(status_field("Final-recipient", &address));
        fields.push(status_field("Action", self.kind.action()));
        let status = if report.reason.is_empty() {
            report.status.to_string()
        } else {
            format!("{} ({})", report.status, comment(&report.reason))
        };
        fields.push(status_field("Status", &status));
        if let Some(remote) = &report.remote {
            fields.push(status_field("Remote-MTA", remote));
        }
        if let Some(diagnostic) = &report.diagnostic {
            fields.push(status_field("Diagnostic-code", diagnostic));
        }
        fields
    }

    fn write_returned(&self, mut body: impl Read, out: &mut impl Write) -> io::Result<()> {
        let kind = match self.returned {
            Returned::Headers => "text/rfc822-headers",
            Returned::Full | Returned::FirstLines(_) => "message/rfc822",
        };
        let encoding = if self.eight_bit { EIGHT_BIT } else { "" };
        write!(out, "Content-type: {kind}\n{encoding}\n")?;
        out.write_all(&self.header.to_bytes())?;
        match self.returned {
            Returned::Headers => Ok(()),
            Returned::Full => {
                out.write_all(b"\n")?;
                io::copy(&mut body, out).map(drop)
            }
            Returned::FirstLines(lines) => {
                out.write_all(b"\n")?;
                copy_lines(body, lines, out)
            }
        }
    }
}

/// What a part says of itself, and each part around it (RFC 2045 §6.4).
const EIGHT_BIT: &str = "Content-transfer-encoding: 8bit\n";

fn copy_lines(body: impl Read, lines: usize, out: &mut impl Write) -> io::Result<()> {
    // A line without end must not bring more than a page.
    let mut body = io::BufReader::new(body.take(64 * 1024));
    for _ in 0..lines {
        let mut line = Vec::new();
        if body.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        out.write_all(&line)?;
        if line.last() != Some(&b'\n') {
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn status_field(name: &str, value: &str) -> Field {
    Field::folded(name, &legible(value, "us-ascii"))
}

/// Text for people or report readers in a charset: no control characters, nothing that the
/// charset lacks, no endless lines.
fn legible(text: &str, charset: &str) -> String {
    let fits = |c: char| charset == "utf-8" || c.is_ascii();
    let plain = |c: char| match c {
        _ if c.is_control() => ' ',
        _ if fits(c) => c,
        _ => '*',
    };
    text.chars().take(MAX_TEXT).map(plain).collect()
}

fn comment(text: &str) -> String {
    text.replace(['(', ')', '\\'], " ")
}

/// The first `limit` characters of a header's value, for listings.
#[must_use]
pub fn shown(field: &Field, limit: usize) -> String {
    header::decode(&field.value()).chars().take(limit).collect()
}

#[cfg(test)]
#[path = "dsn_tests.rs"]
mod tests;
