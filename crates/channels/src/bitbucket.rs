//! The `bitbucket` channel: whatever is queued to it is deleted, and the log says so.

use mta_channel::dequeue::{Deliverer, Message, run_master};
use mta_envelope::status::{Outcome, Report, Status};

use crate::master::{self, Arguments, Error};

/// Runs the channel program.
///
/// # Errors
/// [`Error`] when it cannot begin.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let setup = master::prepare("bitbucket", arguments)?;
    run_master(&setup, &|_| Box::new(Bitbucket))?;
    Ok(())
}

/// Delivers to nobody.
#[derive(Debug, Clone, Copy)]
struct Bitbucket;

impl Deliverer for Bitbucket {
    fn deliver(&mut self, message: &mut Message<'_>) -> Vec<Outcome> {
        let discarded = Outcome::Delivered(Report::local(Status::OK, "discarded"));
        vec![discarded; message.envelope().recipients.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_channel::dequeue::{Content, DebugLog};
    use mta_envelope::address::Address;
    use mta_envelope::envelope::{Envelope, Notify, Priority, Recipient};
    use mta_envelope::names::ChannelName;
    use std::io::{self, BufRead};

    struct Nothing;

    impl Content for Nothing {
        fn header(&mut self) -> io::Result<Vec<u8>> {
            Err(io::Error::other("nobody has to read this"))
        }

        fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
            Err(io::Error::other("nobody has to read this"))
        }
    }

    #[test]
    fn every_recipient_is_done_unread() {
        let recipient = Recipient {
            notify: Notify(Notify::NEVER),
            ..Recipient::new(Address::parse("a@bitbucket-daemon").unwrap())
        };
        let envelope = Envelope {
            id: String::new(),
            sender: None,
            ret: None,
            source_channel: ChannelName::new("tcp_local").unwrap(),
            source_system: String::new(),
            user: String::new(),
            authenticated: None,
            arrived: 0,
            priority: Priority::Normal,
            message_id: None,
            size: 0,
            deferred_until: None,
            recipients: vec![recipient.clone(), recipient],
        };
        let debug = DebugLog::off();
        let mut content = Nothing;
        let mut message = Message::new(&envelope, &mut content, "ZZx.00", "", &debug);
        let outcomes = Bitbucket.deliver(&mut message);
        assert_eq!(outcomes.len(), 2);
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Delivered(_)))
        );
    }
}
