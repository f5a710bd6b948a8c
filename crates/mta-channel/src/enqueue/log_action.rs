//! The mapping table LOG_ACTION: what an operator wants told of single records of the log.
//!
//! It is asked about every record of a message that goes into the log, with the probe of
//! [`action_probe`]. With `$<` the output goes to the system's log, and to the program's own. A
//! table that cannot be read tells nothing: the record itself is in the log.

use super::Shared;
use mta_log::layout::{Options, action_probe};
use mta_log::record::MessageRecord;
use mta_log::writer::Observer;
use mta_mapping::{Input, Silent};
use std::sync::{PoisonError, Weak};

const TABLE: &str = "LOG_ACTION";

/// Asks the table, for as long as there is somebody to ask.
#[derive(Debug)]
pub(super) struct LogAction(pub(super) Weak<Shared>);

impl Observer for LogAction {
    fn observe(&self, record: &MessageRecord<'_>, options: &Options) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        let config = shared
            .config
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if config.mappings.get(TABLE).is_none() {
            return;
        }
        let probe = action_probe(record, options);
        let lookups = shared.context(&config).lookups();
        let input = Input::of(&probe);
        let mapped = config.mappings.map(TABLE, &input, &lookups, &mut Silent);
        if mapped.matched && !mapped.unreadable && mapped.flags.contains('<') {
            shared.program_log.notice(mapped.output.trim());
        }
    }
}
