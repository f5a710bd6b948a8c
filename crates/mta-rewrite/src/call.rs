//! Call-outs of a template.
//!
//! What a database, a mapping table or a routine answers takes the place of the call-out in the
//! template and is read on as template text. What a lookup URL or a domain attribute answers is
//! plain text.

use mta_mapping::{Input, TemporaryFailure};

use crate::apply::{Application, Halt, Refusal};
use crate::explain::{Event, MappingSteps};
use crate::template::{Call, MAX_NESTING, Template};

/// Most call-outs of one template with all that is read on as template.
const MAX_CALLS: u32 = 100;

impl Application<'_> {
    /// Makes a call-out and puts its answer in place.
    pub(crate) fn call(&mut self, call: &Call, nesting: u32) -> Result<(), Halt> {
        self.calls += 1;
        if self.calls > MAX_CALLS || nesting >= MAX_NESTING {
            return Err(Halt::Refused(Refusal::Nesting));
        }
        match call {
            Call::Database(key) => {
                let key = self.argument(key, nesting)?;
                if self.in_database_value {
                    let refusal = lookup("a database within a database value", key);
                    return Err(Halt::Refused(refusal));
                }
                let result = self.surroundings.database(&key);
                let value = self.answer("database", key, result)?;
                self.in_database_value = true;
                let result = self.read_on(&value, nesting);
                self.in_database_value = false;
                result
            }
            Call::Mapping { table, argument } => {
                let argument = self.argument(argument, nesting)?;
                let output = self.mapping(table, &argument)?;
                self.read_on(&output, nesting)
            }
            Call::Routine {
                image,
                routine,
                argument,
            } => {
                let argument = self.argument(argument, nesting)?;
                let result = self.surroundings.routine(image, routine, &argument);
                let argument = format!("{image},{routine},{argument}");
                let output = self.answer("routine", argument, result)?;
                self.read_on(&output, nesting)
            }
            Call::Url(url) => {
                let url = self.argument(url, nesting)?;
                let result = self.surroundings.url(&url);
                let text = self.answer("url", url, result)?;
                self.output.substituted(&text);
                Ok(())
            }
            Call::Domain { domain, attribute } => {
                let domain = self.argument(domain, nesting)?;
                let result = self.surroundings.domain_attribute(&domain, attribute);
                let text = self.answer("domain", format!("{domain},{attribute}"), result)?;
                self.output.substituted(&text);
                Ok(())
            }
        }
    }

    /// Runs a mapping table, which must exist and answer with `$Y`.
    fn mapping(&mut self, table: &str, argument: &str) -> Result<String, Halt> {
        let input = Input {
            address: self.matched.address,
            host: self.matched.specification,
            ..Input::of(argument)
        };
        let surroundings = self.surroundings;
        let mapped = surroundings.tables().map(
            table,
            &input,
            &Outward(surroundings),
            &mut MappingSteps(self.trace),
        );
        if mapped.unreadable {
            return Err(Halt::Refused(Refusal::Unreadable(table.to_owned())));
        }
        if mapped.matched && mapped.flags.contains('Y') {
            Ok(mapped.output)
        } else {
            let argument = format!("{table},{argument}");
            Err(Halt::Refused(lookup("mapping", argument)))
        }
    }

    /// Executes the answer of a call-out in its place.
    fn read_on(&mut self, text: &str, nesting: u32) -> Result<(), Halt> {
        let pieces = Template::fragment(text, self.in_argument);
        self.pieces(&pieces, nesting + 1)
    }

    /// Tells an answer and makes a failure of the lack of one.
    fn answer(
        &mut self,
        call: &'static str,
        argument: String,
        result: Result<Option<String>, TemporaryFailure>,
    ) -> Result<String, Halt> {
        self.tell(|| Event::Called {
            call: call.to_owned(),
            argument: argument.clone(),
            result: result.clone().ok().flatten(),
        });
        match result {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(Halt::Refused(lookup(call, argument))),
            Err(TemporaryFailure) => self
                .fallback
                .clone()
                .ok_or_else(|| Halt::Refused(lookup(call, argument))),
        }
    }
}

fn lookup(call: &'static str, argument: String) -> Refusal {
    Refusal::Lookup { call, argument }
}

/// The surroundings as a mapping table sees them.
struct Outward<'s>(&'s dyn crate::Surroundings);

impl mta_mapping::Callouts for Outward<'_> {
    fn database(&self, key: &str) -> Result<Option<String>, TemporaryFailure> {
        self.0.database(key)
    }

    fn domain_attribute(
        &self,
        domain: &str,
        attribute: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        self.0.domain_attribute(domain, attribute)
    }

    fn url(&self, url: &str) -> Result<Option<String>, TemporaryFailure> {
        self.0.url(url)
    }

    fn routine(
        &self,
        image: &str,
        routine: &str,
        argument: &str,
    ) -> Result<Option<String>, TemporaryFailure> {
        self.0.routine(image, routine, argument)
    }

    fn sequence(&self, file: &str) -> Option<u64> {
        self.0.sequence(file)
    }

    fn chance(&self, percent: f64) -> bool {
        self.0.chance(percent)
    }
}
