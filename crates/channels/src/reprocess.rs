//! The `reprocess`, `process`, `hold` and `conversion` channels: mail that goes through the enqueue
//! path once more.
//!
//! `reprocess` is invisible: rewriting and access tables see the channel that the message came
//! from. `process` is visible, as the origin of what passes it. `hold` is as `reprocess`: what an
//! operator releases from it is treated as if it had just come in. `conversion` is as `process`, for
//! mail that the table CONVERSIONS sends through it: its recipients are final, and nothing is asked
//! about them again but where they lead. Its messages pass as they are. The envelope id, the time
//! of arrival and what the sender asked for are kept.
//!
//! The new files are durable before the old one goes. A crash between the two makes a second
//! copy of the message; nothing makes it less than one.

use std::io::{self, Read as _};
use std::sync::Arc;

use mta_channel::dequeue::{Deliverer, JobThread, Message, run_master};
use mta_channel::enqueue::{
    Checked, Enqueuer, MailParams, RcptParams, Refusal, Source, Transaction,
};
use mta_envelope::envelope::{Envelope, Notify, Pending, Recipient};
use mta_envelope::names::ChannelName;
use mta_envelope::status::{Outcome, Report, Status};

use crate::master::{self, Arguments, Error};

/// The name of the program that passes on what CONVERSIONS sends through its channel.
pub const CONVERSION: &str = "conversion";

/// Octets passed on at a time.
const CHUNK: usize = 64 * 1024;

/// Runs the channel program, under the name by which it was called.
///
/// # Errors
/// [`Error`] when it cannot begin.
pub fn run(program: &'static str, arguments: &Arguments) -> Result<(), Error> {
    let setup = master::prepare(program, arguments)?;
    run_master(&setup, &|thread: &JobThread| {
        Box::new(Again {
            enqueuer: thread.enqueuer.clone(),
            channel: thread.channel.clone(),
            thread: u32::from(thread.number) + 1,
            converts: program == CONVERSION,
        })
    })?;
    Ok(())
}

/// Enqueues again.
#[derive(Debug)]
struct Again {
    enqueuer: Enqueuer,
    channel: ChannelName,
    thread: u32,
    /// It is the conversion program, whatever its channel is called.
    converts: bool,
}

impl Deliverer for Again {
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome> {
        let envelope = message.envelope();
        let mut transaction = match self.begin(envelope) {
            Ok(transaction) => transaction,
            Err(refusal) => return vec![outcome(&refusal); envelope.recipients.len()],
        };
        let answers: Vec<Result<(), Refusal>> = envelope
            .recipients
            .iter()
            .map(|recipient| {
                let accepted = match refused(recipient) {
                    Some(refusal) => Err(refusal),
                    None => {
                        let parameters = self.parameters(recipient);
                        transaction.recipient(recipient.address.as_str(), &parameters)
                    }
                };
                message.debug(|| match &accepted {
                    Ok(_) => format!("{}: accepted", recipient.address),
                    Err(refusal) => format!("{}: {refusal}", recipient.address),
                });
                accepted.map(drop)
            })
            .collect();
        let sent = if answers.iter().any(Result::is_ok) {
            send(transaction, message)
        } else {
            Ok(())
        };
        answers
            .iter()
            .map(|answer| match answer.as_ref().and(sent.as_ref()) {
                Ok(()) => Outcome::Requeued,
                Err(refusal) => outcome(refusal),
            })
            .collect()
    }
}

impl Again {
    fn begin(&self, envelope: &Envelope) -> Result<Transaction, Refusal> {
        let mut source = Source::internal(self.source_channel(envelope), &envelope.user);
        source.authenticated.clone_from(&envelope.authenticated);
        source.thread = Some(self.thread);
        source.reprocessing = !self.is_visible();
        let params = MailParams {
            ret: envelope.ret,
            envelope_id: Some(envelope.id.clone()),
            authenticated: envelope.authenticated.clone(),
            arrived: Some(envelope.arrived),
            ..MailParams::default()
        };
        let sender = envelope.sender.as_ref();
        self.enqueuer
            .begin(&Arc::new(source), sender, params, mta_log::time::now())
    }

    /// What is asked for a recipient, and what is known of it.
    fn parameters(&self, recipient: &Recipient) -> RcptParams {
        let parameters = parameters(recipient);
        if !self.converts || recipient.pending.is_some() {
            return parameters;
        }
        RcptParams {
            checked: Checked::Everything,
            expanded: true,
            ..parameters
        }
    }

    /// Whether mail comes from the channel itself once it has passed it.
    fn is_visible(&self) -> bool {
        self.converts || is_process(&self.channel)
    }

    /// The channel that the message is said to come from.
    fn source_channel(&self, envelope: &Envelope) -> ChannelName {
        // Checks that are still to be made are made of the channel that it came from.
        let unchecked = |recipient: &Recipient| recipient.pending == Some(Pending::Anew);
        if self.is_visible() && !envelope.recipients.iter().any(unchecked) {
            self.channel.clone()
        } else {
            envelope.source_channel.clone()
        }
    }
}

/// Whether it is the channel `process`, or one of its kin.
fn is_process(channel: &ChannelName) -> bool {
    channel.as_str() == "process" || channel.as_str().starts_with("process_")
}

/// What the sender asked for this recipient, and what is known of it already.
fn parameters(recipient: &Recipient) -> RcptParams {
    let explicit = recipient.notify != Notify::default();
    RcptParams {
        notify: explicit.then_some(recipient.notify),
        original: recipient.original.clone(),
        checked: match recipient.pending {
            Some(Pending::Anew) => Checked::Nothing,
            Some(Pending::Later | Pending::Refused { .. }) | None => Checked::AsGiven,
            Some(Pending::Checked) => Checked::Everything,
        },
        tags: recipient.tags.clone(),
        store_options: recipient.store_options.clone(),
        expanded: false,
        patient: false,
    }
}

/// The refusal that a recipient brings along.
fn refused(recipient: &Recipient) -> Option<Refusal> {
    match &recipient.pending {
        Some(Pending::Refused { code, status, text }) => Some(Refusal::new(*code, *status, text)),
        Some(Pending::Anew | Pending::Later | Pending::Checked) | None => None,
    }
}

/// Passes header and body on; durable on return.
fn send(transaction: Transaction, message: &mut Message<'_>) -> Result<(), Refusal> {
    let unreadable = |error: io::Error| {
        let text = format!("cannot read the message: {error}");
        Refusal::new(451, Status::new(4, 3, 0), text)
    };
    let mut writer = transaction.message()?;
    writer.write(&message.header().map_err(unreadable)?);
    let mut body = message.body().map_err(unreadable)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let got = match body.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(unreadable)?,
        };
        if got == 0 {
            break;
        }
        writer.write(&chunk[..got]);
    }
    writer.finish()?;
    Ok(())
}

/// A refusal of the enqueue path as the end of an attempt. The class of the status follows the
/// code: what is refused for now is tried again, whatever its words.
fn outcome(refusal: &Refusal) -> Outcome {
    if refusal.is_temporary() {
        let status = refusal.status.with_class(4);
        Outcome::Deferred(Report::local(status, &refusal.text))
    } else {
        let status = refusal.status.with_class(5);
        Outcome::Failed(Report::local(status, &refusal.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{DAY, World};
    use mta_channel::dequeue::{Content, DebugLog};
    use mta_envelope::address::Address;
    use std::io::BufRead;

    struct Text;

    impl Content for Text {
        fn header(&mut self) -> io::Result<Vec<u8>> {
            Ok(b"Subject: lunch\n\n".to_vec())
        }

        fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
            Ok(Box::new(&b"at noon\n"[..]))
        }
    }

    fn again(channel: &str, recipients: &[&str]) -> (World, Vec<Outcome>) {
        let envelope = World::envelope(
            "zoe@example.edu",
            mta_log::time::now_seconds() - DAY,
            recipients,
        );
        again_with(channel, &envelope)
    }

    fn pending(address: &str, pending: Pending) -> Recipient {
        Recipient {
            pending: Some(pending),
            ..Recipient::new(Address::parse(address).unwrap())
        }
    }

    fn again_with(channel: &str, envelope: &Envelope) -> (World, Vec<Outcome>) {
        let world = World::new();
        let mut deliverer = Again {
            enqueuer: world.enqueuer.clone(),
            channel: ChannelName::new(channel).unwrap(),
            thread: 1,
            converts: channel == CONVERSION,
        };
        let debug = DebugLog::off();
        let mut content = Text;
        let mut message = Message::new(envelope, &mut content, "ZZx.00", "", &debug);
        let outcomes = deliverer.deliver(&mut message);
        (world, outcomes)
    }

    #[test]
    fn mail_goes_on_to_where_its_recipients_lead() {
        let begun = mta_log::time::now().as_second();
        let (world, outcomes) = again(
            "reprocess",
            &["ada@example.com", "nobody@example.com", "bob@example.net"],
        );
        assert_eq!(outcomes[0], Outcome::Requeued);
        assert!(matches!(&outcomes[1], Outcome::Failed(report)
            if report.status == Status::UNKNOWN_USER));
        assert_eq!(outcomes[2], Outcome::Requeued);
        for channel in ["ims-ms", "tcp_local"] {
            let files = world.files(channel);
            assert_eq!(files.len(), 1, "{channel}");
            let text = &files[0].1;
            for part in [
                "\nc;tcp_local\n",
                "\ni;ENVID@mail.example.com\n",
                "at noon\n",
            ] {
                assert!(text.contains(part), "{part:?} in {text}");
            }
            let arrived = text.lines().find_map(|line| line.strip_prefix("t;"));
            let arrived: i64 = arrived.unwrap().parse().unwrap();
            let age = i64::try_from(DAY).unwrap();
            let ended = mta_log::time::now().as_second();
            assert!((begun - age..=ended - age).contains(&arrived), "{text}");
            assert!(text.contains("Received: from "), "{text}");
        }
    }

    #[test]
    fn what_was_put_off_is_not_put_off_again() {
        let (world, outcomes) = again("reprocess", &["later@example.com"]);
        assert_eq!(outcomes, [Outcome::Requeued]);
        assert!(world.files("reprocess").is_empty());
        assert_eq!(world.files("ims-ms").len(), 1);
        assert_eq!(world.files("tcp_local").len(), 1);
        let (world, _) = again("process", &["later@example.com"]);
        assert_eq!(world.files("reprocess").len(), 1);
    }

    #[test]
    fn members_that_are_refused_come_back_with_their_refusal() {
        let (world, outcomes) = again("reprocess", &["mixed@example.com"]);
        assert_eq!(outcomes, [Outcome::Requeued]);
        assert_eq!(world.files("ims-ms").len(), 1);
        assert!(world.files("tcp_local").is_empty());
        let files = world.files("reprocess");
        assert_eq!(files.len(), 1);
        for record in [
            "\nw;550 5.7.1 Not there: mixed@example.com\nx@secret.example\n",
            "\nw;550 5.1.1 unknown or illegal alias: mixed@example.com\nnobody@example.com\n",
        ] {
            assert!(
                files[0].1.contains(record),
                "{record} not in {}",
                files[0].1
            );
        }
    }

    #[test]
    fn what_is_known_of_a_recipient_decides_who_is_asked() {
        let mut envelope = World::envelope("zoe@example.edu", 1_700_000_000, &[]);
        let refused = Pending::Refused {
            code: 550,
            status: Status::new(5, 7, 1),
            text: "no".into(),
        };
        envelope.recipients = vec![
            pending("ada@example.com", refused),
            pending("ada@far.example", Pending::Anew),
            pending("ada@secret.example", Pending::Later),
            pending("bob@secret.example", Pending::Checked),
            pending("bob@far.example", Pending::Later),
        ];
        for channel in ["reprocess", "process"] {
            let (world, outcomes) = again_with(channel, &envelope);
            for (outcome, reason) in outcomes.iter().zip([
                "no",
                "Relaying not allowed: ada@far.example",
                "Not there: ada@secret.example",
            ]) {
                assert!(
                    matches!(outcome, Outcome::Failed(report) if report.reason == reason),
                    "{channel} {outcome:?}"
                );
            }
            assert_eq!(outcomes[3..], [Outcome::Requeued, Outcome::Requeued]);
            let files = world.files("tcp_local");
            assert!(files[0].1.contains("\nbob@secret.example\n"));
            assert!(files[0].1.contains("\nbob@far.example\n"));
            assert!(world.files("ims-ms").is_empty());
        }
    }

    #[test]
    fn what_passes_process_comes_from_there() {
        let (world, outcomes) = again("process", &["ada@example.com"]);
        assert_eq!(outcomes, [Outcome::Requeued]);
        assert!(world.files("ims-ms")[0].1.contains("\nc;process\n"));
    }

    #[test]
    fn what_is_converted_is_asked_about_no_more_and_comes_from_the_channel() {
        // FORWARD, aliases and SEND_ACCESS would each have changed something.
        let recipients = ["ada@secret.example", "forward@far.example"];
        let (world, outcomes) = again("conversion", &recipients);
        assert_eq!(outcomes, [Outcome::Requeued, Outcome::Requeued]);
        let files = world.files("tcp_local");
        let text = &files[0].1;
        for part in [
            "\nc;conversion\n",
            "\nada@secret.example\n",
            "\nforward@far.example\n",
            "\nReceived: from conversion-daemon.",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn nothing_is_enqueued_if_nobody_is_accepted() {
        let (world, outcomes) = again("reprocess", &["nobody@example.com"]);
        assert!(matches!(outcomes[0], Outcome::Failed(_)));
        assert!(world.files("ims-ms").is_empty());
    }

    #[test]
    fn only_process_shows_as_the_source() {
        for (name, visible) in [
            ("process", true),
            ("process_2", true),
            ("reprocess", false),
            ("hold", false),
            ("processing", false),
        ] {
            assert_eq!(
                is_process(&ChannelName::new(name).unwrap()),
                visible,
                "{name}"
            );
        }
    }

    #[test]
    fn refusals_are_told_by_their_code() {
        let unknown = Refusal::new(550, Status::UNKNOWN_USER, "unknown or illegal alias: x@y");
        assert!(matches!(outcome(&unknown), Outcome::Failed(report)
            if report.status == Status::UNKNOWN_USER && report.reason.ends_with("x@y")));
        let odd = Refusal::new(452, Status::new(5, 2, 1), "later");
        assert!(matches!(outcome(&odd), Outcome::Deferred(report)
            if report.status == Status::new(4, 2, 1)));
    }

    #[test]
    fn wishes_travel_on() {
        let mut recipient = Recipient::new(Address::parse("a@b").unwrap());
        assert_eq!(parameters(&recipient).notify, None);
        recipient.notify = Notify(Notify::NEVER | Notify::EXPLICIT);
        recipient.original = Some(("rfc822".into(), "c@d".into()));
        let params = parameters(&recipient);
        assert_eq!(params.notify, Some(recipient.notify));
        assert_eq!(params.original, recipient.original);
    }
}
