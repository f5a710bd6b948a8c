//! Builds a notice and puts it into a queue, by the same way as everybody else's mail.

use std::io::{self, Read as _, Write};
use std::sync::Arc;

use jiff::tz::TimeZone;
use mta_config::{ChannelOption, Config, MtaOption, ServerRoot};
use mta_envelope::envelope::{Envelope, Notify, Recipient};
use mta_envelope::names::ChannelName;
use mta_envelope::status::{Report, Status};
use mta_log::id::IdSource;
use mta_message::date;
use mta_message::dsn::{self, Reported, Returned};
use mta_message::header::Header;
use mta_message::mime;
use mta_message::template::{Templates, Units};
use mta_queue::history::Attempt;

use super::attempt::full;
use super::language::{language, symbolic};
use super::notices::{About, NoticeSender};
use super::settle::report;
use crate::enqueue::{Checked, Enqueuer, MailParams, MessageWriter, RcptParams, Refusal, Source};
use crate::notify::{Addressee, Notice, Portion};

/// Most lines of history that a notice shows of a recipient, the latest ones.
const MOST_HISTORY: usize = 20;

/// Sends notices through the enqueue path.
#[derive(Debug, Clone)]
pub struct Outbox {
    enqueuer: Enqueuer,
    root: ServerRoot,
    zone: TimeZone,
}

impl Outbox {
    /// Sends through `enqueuer`, with the templates of `root`.
    #[must_use]
    pub fn new(enqueuer: Enqueuer, root: &ServerRoot) -> Self {
        Self {
            enqueuer,
            root: root.clone(),
            zone: TimeZone::system(),
        }
    }
}

impl NoticeSender for Outbox {
    fn send(&self, about: &About<'_>, notice: &Notice) -> Result<(), Refusal> {
        let config = self.enqueuer.config();
        let envelope = about.message.envelope();
        let to = match (notice.to, &envelope.sender) {
            (Addressee::Sender, Some(sender)) => sender,
            (Addressee::Sender, None) | (Addressee::Postmaster, _) => &about.policy.postmaster,
        };
        let source = Source::internal(source_channel(&config, about), &config.restricted.user);
        let params = MailParams::default();
        let source = Arc::new(source);
        let mut transaction = self.enqueuer.begin(&source, None, params, about.now)?;
        let recipient = RcptParams {
            notify: Some(Notify(Notify::NEVER | Notify::EXPLICIT)),
            original: None,
            checked: Checked::Everything,
            // A sender whose account is inactive for months would else keep the failed message
            // in its queue for as long, and the remote host would be asked again and again.
            patient: true,
            ..RcptParams::default()
        };
        transaction.recipient(to.as_str(), &recipient)?;
        let mut writer = transaction.message()?;
        self.write(&config, about, notice, to.as_str(), &mut writer)
            .map_err(|error| not_built(&error))?;
        writer.finish()?;
        Ok(())
    }
}

impl Outbox {
    fn write(
        &self,
        config: &Config,
        about: &About<'_>,
        notice: &Notice,
        to: &str,
        writer: &mut MessageWriter,
    ) -> io::Result<()> {
        let envelope = about.message.envelope();
        let header = Header::parse(&about.message.header()?);
        let templates = self.templates(config, about, notice, &header)?;
        let history = if config.mta.flag(MtaOption::ReturnDeliveryHistory) {
            about.message.history()
        } else {
            &[]
        };
        let reports = reports(about, notice);
        let recipients: Vec<Reported<'_>> = notice
            .recipients
            .iter()
            .zip(&reports)
            .map(|(index, report)| reported(&envelope.recipients[*index], report, history, about))
            .collect();
        let now = u64::try_from(about.now.as_second()).unwrap_or(0);
        let mut random = [0; 22];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let host = config.local_host();
        let built = dsn::Notice {
            kind: notice.kind,
            templates: &templates,
            personal: &about.policy.personal,
            from: about.policy.postmaster.as_str(),
            to,
            date: &date::in_zone(now, &self.zone),
            message_id: &format!("{}@{host}", IdSource::new().next(now)),
            boundary: &mime::boundary(random),
            host,
            channel_host: about.channel.official_host(),
            envelope_id: &envelope.id,
            arrival: &date::in_zone(envelope.arrived, &self.zone),
            header: &header,
            recipients: &recipients,
            units: units(config, about, now),
            eight_bit: is_eight_bit(about, notice, &header)?,
            returned: match notice.portion {
                Portion::Whole => Returned::Full,
                Portion::Header => Returned::Headers,
                Portion::Lines(lines) => Returned::FirstLines(lines),
            },
        };
        built.write(about.message.body()?, io::BufWriter::new(Octets(writer)))
    }
}

impl Outbox {
    /// The texts of the notice, in the language that the configuration chooses.
    fn templates(
        &self,
        config: &Config,
        about: &About<'_>,
        notice: &Notice,
        header: &Header,
    ) -> io::Result<Templates> {
        let language = language(
            &config.mappings,
            notice.kind,
            about.channel.name().as_str(),
            about.message.envelope(),
            header,
            &self.enqueuer.lookups(config),
        );
        let usual = [self.root.resolve("IMTA_LANG:"), self.root.config()];
        let own = language
            .directory
            .map(|name| self.root.resolve(&symbolic(&name)));
        let translated = own.map(|own| {
            let mut directories = vec![own.clone()];
            directories.extend(usual.clone());
            Templates::load(&directories).inspect_err(|error| {
                let own = own.display();
                let text = format!("{own}: {error}; notices are not in its language");
                self.enqueuer.program_log().write(&text);
            })
        });
        let mut templates = match translated {
            Some(Ok(templates)) => templates,
            // Better in another language than not at all.
            Some(Err(_)) | None => Templates::load(&usual)?,
        };
        if let Some(subject) = &language.subject {
            templates.set_option("SUBJECT", subject);
        }
        Ok(templates)
    }
}

/// Whether what is returned holds octets over 127. Of a body of which only the first lines are
/// quoted, all of it is asked: to say 8bit of what is not is no lie.
fn is_eight_bit(about: &About<'_>, notice: &Notice, header: &Header) -> io::Result<bool> {
    if !header.to_bytes().is_ascii() {
        return Ok(true);
    }
    if notice.portion == Portion::Header {
        return Ok(false);
    }
    let mut body = about.message.body()?;
    let mut piece = vec![0; 64 * 1024];
    loop {
        match body.read(&mut piece)? {
            0 => return Ok(false),
            count if !piece[..count].is_ascii() => return Ok(true),
            _ => {}
        }
    }
}

/// A message writer as the builder sees it. What goes wrong shows when it is finished.
struct Octets<'a>(&'a mut MessageWriter);

impl Write for Octets<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `notificationchannel`, else `process`, else the channel itself.
fn source_channel(config: &Config, about: &About<'_>) -> ChannelName {
    let wanted = about.channel.text(ChannelOption::Notificationchannel);
    wanted
        .into_iter()
        .chain(["process"])
        .filter_map(|name| ChannelName::new(name).ok())
        .find(|name| config.channel(name).is_some())
        .unwrap_or_else(|| about.channel.name().clone())
}

/// What the notice says about each of its recipients: the outcome of this attempt, or of the
/// last one if this was none.
fn reports(about: &About<'_>, notice: &Notice) -> Vec<Report> {
    let envelope = about.message.envelope();
    notice
        .recipients
        .iter()
        .map(|index| {
            let known = about.outcomes.get(*index).and_then(report).cloned();
            known.unwrap_or_else(|| {
                last_report(&envelope.recipients[*index], about.message.history())
            })
        })
        .collect()
}

/// The last attempt of a recipient as a report.
pub(super) fn last_report(recipient: &Recipient, history: &[Attempt]) -> Report {
    let last = history
        .iter()
        .rev()
        .find(|attempt| attempt.recipient == recipient.address.as_str());
    match last {
        Some(attempt) => {
            let status = Status::parse_prefix(&attempt.status);
            let status = status.map_or(Status::new(4, 4, 0), |(status, _)| status);
            Report::local(status, &attempt.text)
        }
        None => Report::local(Status::new(4, 4, 7), "not delivered yet"),
    }
}

fn reported<'a>(
    recipient: &'a Recipient,
    report: &'a Report,
    history: &[Attempt],
    about: &About<'_>,
) -> Reported<'a> {
    let original = recipient.original.as_ref();
    let original = original.map(|(kind, address)| (kind.as_str(), address.as_str()));
    // With `suppressfinal` the sender sees the address he wrote and not what became of it.
    let address = match original {
        Some((_, original)) if !about.policy.include_final => original,
        Some(_) | None => recipient.address.as_str(),
    };
    let mut lines: Vec<String> = history
        .iter()
        .rev()
        .filter(|attempt| attempt.recipient == recipient.address.as_str())
        .take(MOST_HISTORY)
        .map(line)
        .collect();
    lines.reverse();
    Reported {
        address,
        original,
        report,
        history: lines,
    }
}

fn line(attempt: &Attempt) -> String {
    let seconds = i64::try_from(attempt.time).unwrap_or(0);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.0} {} {}", attempt.status, attempt.text)
}

fn units(config: &Config, about: &About<'_>, now: u64) -> Units {
    let hours = config.mta.flag(MtaOption::ReturnUnits);
    let envelope: &Envelope = about.message.envelope();
    let last = about.channel.notices(envelope.priority);
    let total = last.last().copied().map_or(0, u64::from);
    let queued = age(envelope.arrived, now, hours);
    Units {
        queued,
        left: total.saturating_sub(queued),
        total,
        hours,
    }
}

/// Full days or hours between two moments.
pub(super) const fn age(arrived: u64, now: u64, hours: bool) -> u64 {
    let unit = if hours { 3_600 } else { 86_400 };
    now.saturating_sub(arrived) / unit
}

/// A notice that cannot be built is our own trouble: try again later.
fn not_built(error: &io::Error) -> Refusal {
    let text = format!("cannot build the notice: {}", full(error));
    Refusal::new(451, Status::new(4, 3, 0), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::address::Address;

    #[test]
    fn ages_are_full_units() {
        let table = [
            (0, 86_399, false, 0),
            (0, 86_400, false, 1),
            (43_200, 86_400 + 1_800, false, 0),
            (0, 7_200, true, 2),
            (100, 50, true, 0),
        ];
        for (arrived, now, hours, expected) in table {
            assert_eq!(age(arrived, now, hours), expected, "{arrived} {now}");
        }
    }

    #[test]
    fn the_last_attempt_is_what_a_warning_tells() {
        let recipient = Recipient::new(Address::parse("a@b").unwrap());
        let attempt = |recipient: &str, text: &str| Attempt {
            time: 1_790_000_000,
            recipient: recipient.into(),
            status: "4.4.1".into(),
            text: text.into(),
        };
        let history = [
            attempt("a@b", "first"),
            attempt("a@b", "second"),
            attempt("c@d", "third"),
            Attempt::warned(1),
        ];
        let report = last_report(&recipient, &history);
        assert_eq!(
            (report.status, report.reason.as_str()),
            (Status::new(4, 4, 1), "second")
        );
        assert_eq!(last_report(&recipient, &[]).status, Status::EXPIRED);
        assert_eq!(line(&history[0]), "2026-09-21T14:13:20Z 4.4.1 first");
    }
}
