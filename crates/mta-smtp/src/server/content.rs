//! The message itself: DATA and BDAT.

use super::policy::{Closed, Policy};
use super::session::{Answer, Mode, PIECE, Session, Step, Wait};
use super::transaction::Transaction;
use crate::command::Chunk;
use crate::data::{DataDecoder, DataFault, LongLines};
use crate::line::Input;
use crate::reply::{Refusal, Reply};

impl Session {
    pub(super) fn data_command(&mut self, policy: &mut dyn Policy) -> Answer {
        if let Err(refusal) = policy.data_begin() {
            return refusal.into();
        }
        self.begin_content();
        let decoder = DataDecoder::for_data(self.limits.long_lines);
        self.mode = Mode::Data(Box::new(decoder));
        Answer::Reply(Reply::plain(354, "Enter mail, end with a single \".\"."))
    }

    fn begin_content(&mut self) {
        self.told_long = false;
        self.drained = 0;
    }

    /// Mode `Data`.
    pub(super) fn data(&mut self, input: &mut Input, policy: &mut dyn Policy) -> Option<Step> {
        if input.is_empty() {
            return Some(Step::Read(Wait::Data));
        }
        let Mode::Data(mut decoder) = std::mem::replace(&mut self.mode, Mode::Command) else {
            return None;
        };
        let piece = input.rest();
        let piece = &piece[..piece.len().min(PIECE)];
        let decoded = decoder.decode(piece, &mut self.decoded);
        input.consume(decoded.used);
        let wanted = self.hand_over(&decoder, policy);
        if decoded.ended {
            let answer = self.finish(&decoder, policy);
            return self.answer(answer, policy);
        }
        if !wanted {
            self.drained += decoded.used as u64;
        }
        self.mode = Mode::Data(decoder);
        self.drained_too_much(policy);
        None
    }

    fn drained_too_much(&mut self, policy: &mut dyn Policy) {
        if self.drained > self.limits.drain {
            self.end(&Closed::Flood, policy);
        }
    }

    /// Gives the policy what has been decoded. False if the message is refused already.
    fn hand_over(&mut self, decoder: &DataDecoder, policy: &mut dyn Policy) -> bool {
        let changed = self.limits.long_lines != LongLines::Reject;
        if changed && decoder.summary().long_lines > 0 && !self.told_long {
            self.told_long = true;
            policy.long_line(self.limits.long_lines);
        }
        let wanted = decoder.fault().is_none()
            && (self.decoded.is_empty() || policy.data_chunk(&self.decoded));
        self.decoded.clear();
        wanted
    }

    /// The message is complete: the transaction is over, whatever the policy says.
    fn finish(&mut self, decoder: &DataDecoder, policy: &mut dyn Policy) -> Answer {
        self.transaction = Transaction::None;
        self.decoded = Vec::new();
        let stored = match decoder.fault() {
            Some(fault) => Err(policy.data_refused(fault)),
            None => policy.data_end(decoder.summary()),
        };
        let reply = stored.map(|stored| {
            let text = match stored.envelope_id {
                Some(id) => format!("Ok, envelope id {id}"),
                None => "Ok.".to_owned(),
            };
            Reply::new(250, (2, 5, 0), text)
        });
        reply.into()
    }

    /// BDAT in its place: the first of a message asks whether data may come.
    pub(super) fn bdat(&mut self, chunk: Chunk, policy: &mut dyn Policy) -> Answer {
        if !policy.offers().chunking {
            let reply = Reply::new(502, (5, 5, 1), "BDAT command is not available.");
            self.spoil(policy);
            self.skip_chunk(chunk, reply.into());
            return Answer::Nothing;
        }
        if matches!(self.transaction, Transaction::Mail { .. }) {
            if let Err(refusal) = policy.data_begin() {
                self.spoil(policy);
                self.skip_chunk(chunk, refusal);
                return Answer::Nothing;
            }
            self.begin_content();
            let decoder = DataDecoder::for_chunks(self.limits.long_lines);
            self.transaction = Transaction::Chunks(Box::new(decoder));
        }
        self.mode = Mode::Chunk {
            left: chunk.size,
            last: chunk.last,
            refusal: None,
        };
        Answer::Nothing
    }

    /// The message is lost, and the client has to say RSET before it may begin another.
    pub(super) fn spoil(&mut self, policy: &mut dyn Policy) {
        self.forget(policy);
        self.transaction = Transaction::Spoilt;
    }

    /// Reads the octets of a chunk that nobody wants, then refuses it. A BDAT that is refused
    /// within a transaction spoils it.
    pub(super) fn skip_chunk(&mut self, chunk: Chunk, refusal: Refusal) {
        self.drained = 0;
        self.mode = Mode::Chunk {
            left: chunk.size,
            last: chunk.last,
            refusal: Some(refusal),
        };
    }

    /// Mode `Chunk`.
    pub(super) fn chunk(&mut self, input: &mut Input, policy: &mut dyn Policy) -> Option<Step> {
        let Mode::Chunk {
            left,
            last,
            refusal,
        } = &mut self.mode
        else {
            return None;
        };
        if *left == 0 {
            let (last, refusal) = (*last, refusal.take());
            self.mode = Mode::Command;
            let answer = match refusal {
                Some(refusal) => refusal.into(),
                None => self.end_chunk(last, policy),
            };
            return self.answer(answer, policy);
        }
        if input.is_empty() {
            return Some(Step::Read(Wait::Data));
        }
        let room = usize::try_from(*left).unwrap_or(usize::MAX).min(PIECE);
        let piece = &input.rest()[..input.rest().len().min(room)];
        let used = piece.len();
        *left -= used as u64;
        let skipped = refusal.is_some();
        if let Transaction::Chunks(decoder) = &mut self.transaction
            && !skipped
        {
            decoder.decode(piece, &mut self.decoded);
        }
        input.consume(used);
        self.after_piece(skipped, used, policy);
        None
    }

    fn after_piece(&mut self, skipped: bool, used: usize, policy: &mut dyn Policy) {
        let transaction = std::mem::replace(&mut self.transaction, Transaction::None);
        let mut wasted = skipped;
        if let Transaction::Chunks(decoder) = &transaction
            && !skipped
        {
            wasted = !self.hand_over(decoder, policy);
        }
        self.transaction = transaction;
        if wasted {
            self.drained += used as u64;
        }
        self.drained_too_much(policy);
    }

    /// All octets of an accepted chunk are here.
    fn end_chunk(&mut self, last: bool, policy: &mut dyn Policy) -> Answer {
        let Transaction::Chunks(mut decoder) =
            std::mem::replace(&mut self.transaction, Transaction::None)
        else {
            return Answer::Nothing;
        };
        if last {
            decoder.finish(&mut self.decoded);
            self.hand_over(&decoder, policy);
            return self.finish(&decoder, policy);
        }
        match decoder.fault() {
            Some(fault) => self.spoilt_chunk(fault, policy),
            None => {
                self.transaction = Transaction::Chunks(decoder);
                self.decoded = Vec::new();
                Answer::Reply(Reply::new(250, (2, 5, 0), "Ok."))
            }
        }
    }

    /// A chunk in the middle is bad: the message is refused now, the chunks behind it get 503.
    fn spoilt_chunk(&mut self, fault: DataFault, policy: &mut dyn Policy) -> Answer {
        let refusal = policy.data_refused(fault);
        self.decoded = Vec::new();
        self.transaction = Transaction::Spoilt;
        refusal.into()
    }
}
