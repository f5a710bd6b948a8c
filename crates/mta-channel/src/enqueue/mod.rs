//! The only way in: from a sender and recipients to message files, durable before the answer.
//!
//! ```text
//! Enqueuer::new(config: Arc<Config>, root: &ServerRoot, program: &str) -> Result<Enqueuer, EnqueueError>
//! Enqueuer::begin(&self, source: &Arc<Source>, sender: Option<&Address>, params: MailParams,
//!                 now: Timestamp) -> Result<Transaction, Refusal>
//! Transaction::recipient(&mut self, address: &str, params: &RcptParams) -> Result<Accepted, Refusal>
//! Transaction::message(self) -> Result<MessageWriter, Refusal>      // envelope closed
//! MessageWriter::write(&mut self, octets: &[u8])                     // LF lines, header then body
//! MessageWriter::finish(self) -> Result<Enqueued, Refusal>           // durable, logged, hinted
//! Enqueued { envelope_id: String /* ID@HOST */, files: Vec<mta_queue::Placed> }
//! resolve::resolve(&Context, &Question, &mut dyn Trace) -> Result<Resolution, Refusal>
//! ```

mod refusal;
mod source;

pub use refusal::Refusal;
pub use source::{MailParams, Peer, Protocol, RcptParams, ReverseName, Source};
