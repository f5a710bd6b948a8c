//! Applying a template to a matched host.
//!
//! The pieces of a template are executed from left to right. Text and substitutions go to the
//! part of the address under construction; controls are judged at the end, at `$1~`, or where
//! they stand. The result of a call-out that is read on as template is executed in its place.

use std::fmt;

use crate::explain::{Event, Place, Trace};
use crate::output::{Form, Output};
use crate::parts::{nth_component, user_part, without_components};
use crate::question::{Direction, Part, Question};
use crate::surroundings::Surroundings;
use crate::template::{Case, Control, Piece, Substitution, Template};

/// Most octets that one template may put together.
const MAX_OUTPUT: usize = 16 * 1024;

/// A host and the rule's pattern laid over it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match<'a> {
    /// The whole address of this round.
    pub(crate) address: &'a str,
    /// The host specification in its original case.
    pub(crate) specification: &'a str,
    /// Where it stood.
    pub(crate) place: Place,
    /// The user part.
    pub(crate) user: &'a str,
    /// Length of the unmatched part of the specification.
    pub(crate) split: usize,
    /// What the pattern leaves of a literal, as a range of the specification.
    pub(crate) literal: (usize, usize),
}

impl Match<'_> {
    fn unmatched(&self) -> &str {
        &self.specification[..self.split]
    }

    fn matched(&self) -> &str {
        &self.specification[self.split..]
    }
}

/// What a rule that succeeded asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The form of its template, filled.
    pub(crate) form: Form,
    /// The new current tag, if it sets one.
    pub(crate) tag: Option<String>,
    /// The new error text, if it sets one.
    pub(crate) error: Option<ErrorText>,
    /// The directory did not answer, and the template went on with `domain_failure`.
    pub(crate) temporary: bool,
}

/// Text for the case that no channel is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorText {
    pub(crate) number: Option<u32>,
    pub(crate) text: String,
}

/// Why a rule failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Part,
    Direction,
    Place,
    Channel,
    Component,
    Domain {
        domain: String,
        wanted: bool,
    },
    Silent(String),
    Lookup {
        call: &'static str,
        argument: String,
    },
    Nesting,
    Form,
    /// A mapping table cannot be read: not the rule fails but the whole question.
    Unreadable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part => f.write_str("for the other of envelope and header addresses ($E, $B)"),
            Self::Direction => f.write_str("for addresses of the other direction ($F, $R)"),
            Self::Place => f.write_str("the host stands elsewhere ($S, $A, $P, $X)"),
            Self::Channel => f.write_str("for other channels ($M, $N, $Q, $C)"),
            Self::Component => f.write_str("there is no such component or character"),
            Self::Domain { domain, wanted } => {
                let not = if *wanted { "not " } else { "" };
                write!(f, "{domain} is {not}a local domain of the directory")
            }
            Self::Silent(domain) => write!(f, "the directory did not answer about {domain}"),
            Self::Lookup { call, argument } => write!(f, "{call} has no answer for \"{argument}\""),
            Self::Nesting => f.write_str("too many or too deep call-outs"),
            Self::Form => f.write_str("the template gives no address"),
            Self::Unreadable(table) => write!(f, "the mapping table {table} cannot be read"),
        }
    }
}

/// Why the execution of a template stopped before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The rule fails.
    Refused(Refusal),
    /// `$1~` ended the template, successfully.
    Ended,
    /// The directory did not answer about this domain: `domain_failure` takes the place of the rest.
    NoAnswer(String),
}

/// A mapping table that a template asks cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Applies `template`; a refusal is told to whoever listens, and gives nothing.
///
/// # Errors
/// [`Unreadable`]: nothing may be decided now, by another rule neither.
pub(crate) fn apply(
    template: &Template,
    question: &Question<'_>,
    matched: &Match<'_>,
    surroundings: &dyn Surroundings,
    trace: &mut dyn Trace,
) -> Result<Option<Applied>, Unreadable> {
    let application = Application {
        question,
        matched,
        surroundings,
        trace,
        output: Output::default(),
        only: Only::default(),
        channels: ChannelChecks::default(),
        fallback: None,
        tag: None,
        error: None,
        calls: 0,
        in_argument: false,
        in_database_value: false,
    };
    application.run(template)
}

/// Conditions of which several combine with OR within their group.
#[derive(Debug, Default)]
struct Only {
    part: Option<bool>,
    direction: Option<bool>,
    place: Option<bool>,
}

fn either(group: &mut Option<bool>, met: bool) {
    *group = Some(group.unwrap_or(false) || met);
}

/// Pending channel checks.
#[derive(Debug, Default)]
struct ChannelChecks {
    source: Option<bool>,
    destination: Option<bool>,
    /// A `$N`, `$1M`, `$1N` or `$C` that is not met.
    failed: bool,
}

impl ChannelChecks {
    fn met(&self) -> bool {
        !self.failed && self.source != Some(false) && self.destination != Some(false)
    }
}

/// One template being executed.
pub(crate) struct Application<'x> {
    question: &'x Question<'x>,
    pub(crate) matched: &'x Match<'x>,
    pub(crate) surroundings: &'x dyn Surroundings,
    pub(crate) trace: &'x mut dyn Trace,
    pub(crate) output: Output,
    only: Only,
    channels: ChannelChecks,
    /// What `$.text.` gives for a lookup that fails for now.
    pub(crate) fallback: Option<String>,
    tag: Option<String>,
    error: Option<ErrorText>,
    /// Call-outs so far.
    pub(crate) calls: u32,
    /// The argument of a call-out is being put together: `%` and `@` separate nothing.
    pub(crate) in_argument: bool,
    /// The value of a database entry is being executed: it may ask no database.
    pub(crate) in_database_value: bool,
}

impl Application<'_> {
    fn run(mut self, template: &Template) -> Result<Option<Applied>, Unreadable> {
        match self.execute(template) {
            Ok(temporary) => {
                let output = std::mem::take(&mut self.output);
                if let Some(form) = output.into_form() {
                    let applied = Applied {
                        form,
                        tag: self.tag.take(),
                        error: self.error.take(),
                        temporary,
                    };
                    self.tell(|| told(&applied.form));
                    return Ok(Some(applied));
                }
                self.refuse(&Refusal::Form);
            }
            Err(refusal) => {
                self.refuse(&refusal);
                if matches!(refusal, Refusal::Unreadable(_)) {
                    return Err(Unreadable);
                }
            }
        }
        Ok(None)
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.tell(|| Event::Refused {
            reason: refusal.to_string(),
        });
    }

    /// Tells a step if anybody listens.
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> Event) {
        if self.trace.listens() {
            self.trace.event(event());
        }
    }

    /// Executes the whole template and judges what is pending; whether the directory was silent.
    fn execute(&mut self, template: &Template) -> Result<bool, Refusal> {
        let mut temporary = false;
        let mut halt = self.through(&template.pieces).err();
        if matches!(halt, Some(Halt::NoAnswer(_))) {
            temporary = true;
            self.in_argument = false;
            self.in_database_value = false;
            self.output.expect_tag(self.matched);
            let rest = Template::fragment(self.surroundings.domain_failure(), false);
            halt = self.through(&rest).err();
        }
        match halt {
            Some(Halt::Refused(refusal)) => return Err(refusal),
            Some(Halt::NoAnswer(domain)) => return Err(Refusal::Silent(domain)),
            None | Some(Halt::Ended) => {}
        }
        if !self.channels.met() {
            return Err(Refusal::Channel);
        }
        for (group, refusal) in [
            (self.only.part, Refusal::Part),
            (self.only.direction, Refusal::Direction),
            (self.only.place, Refusal::Place),
        ] {
            if group == Some(false) {
                return Err(refusal);
            }
        }
        Ok(temporary)
    }

    fn through(&mut self, pieces: &[Piece]) -> Result<(), Halt> {
        self.pieces(pieces, 0)?;
        self.close_argument()
    }

    /// Executes pieces, `nesting` results of call-outs deep.
    pub(crate) fn pieces(&mut self, pieces: &[Piece], nesting: u32) -> Result<(), Halt> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.output.plain(text),
                Piece::Separator(separator) => {
                    self.close_argument()?;
                    self.output.separate(*separator);
                }
                Piece::Substitution(substitution) => self.substitute(*substitution)?,
                Piece::Case(case) => {
                    self.output.case = *case;
                    if *case == Case::AsIs {
                        self.output.quotes = false;
                    }
                }
                Piece::QuoteLdap => self.output.quotes = true,
                Piece::Call(call) => self.call(call, nesting)?,
                Piece::OnTemporaryFailure(text) => {
                    self.fallback = Some(text.clone()).filter(|text| !text.is_empty());
                }
                Piece::Control(control) => {
                    self.close_argument()?;
                    self.control(control)?;
                }
            }
            if self.output.len() > MAX_OUTPUT {
                return Err(Halt::Refused(Refusal::Nesting));
            }
        }
        Ok(())
    }

    fn substitute(&mut self, substitution: Substitution) -> Result<(), Halt> {
        let missing = || Halt::Refused(Refusal::Component);
        let matched = self.matched;
        match substitution {
            Substitution::User(part) => self.output.substituted(user_part(matched.user, part)),
            Substitution::Domain { dropped: 0 } => self.output.substituted(matched.matched()),
            Substitution::Domain { dropped } => {
                let domain = matched.matched();
                let domain = domain.strip_prefix('.').unwrap_or(domain);
                self.output.substituted(without_components(domain, dropped));
            }
            Substitution::Host { dropped } => {
                let host = without_components(matched.unmatched(), dropped);
                self.output.substituted(host);
            }
            Substitution::Literal => {
                let (start, end) = matched.literal;
                self.output.substituted(&matched.specification[start..end]);
            }
            Substitution::Character(number) => {
                let c = matched.address.chars().nth(number as usize);
                let c = c.ok_or_else(missing)?;
                self.output.substituted(c.encode_utf8(&mut [0; 4]));
            }
            Substitution::SpecificationComponent(number) => {
                let text = nth_component(matched.specification, number, false);
                self.output.substituted(text.ok_or_else(missing)?);
            }
            Substitution::Component {
                matched: of_matched,
                from_right,
                number,
            } => {
                let text = if of_matched {
                    let domain = matched.matched();
                    domain.strip_prefix('.').unwrap_or(domain)
                } else {
                    matched.unmatched()
                };
                let text = nth_component(text, number, from_right);
                self.output.substituted(text.ok_or_else(missing)?);
            }
            Substitution::Unique => {
                let text = self.surroundings.unique();
                self.output.substituted(&text);
            }
        }
        Ok(())
    }

    fn control(&mut self, control: &Control) -> Result<(), Halt> {
        match control {
            Control::Envelope(envelope) => {
                let met = *envelope == (self.question.part == Part::Envelope);
                either(&mut self.only.part, met);
            }
            Control::Forward(forward) => {
                let met = *forward == (self.question.direction == Direction::Forward);
                either(&mut self.only.direction, met);
            }
            Control::Place(place) => either(&mut self.only.place, *place == self.matched.place),
            Control::Source { is, channel } => self.check_source(*is, channel),
            Control::Reprocessing(is) => {
                let source = self.question.source_channel.as_str();
                let met = *is == is_reprocessing(source);
                self.channels.failed |= !met && self.checks_source();
            }
            Control::Destination { is, channel } => self.check_destination(*is, channel),
            Control::CheckNow => {
                let met = std::mem::take(&mut self.channels).met();
                if !met {
                    return Err(Halt::Ended);
                }
            }
            Control::LocalDomain(_) | Control::Ignored => {
                self.output.argument = Some((control.clone(), String::new()));
            }
            Control::Tag(tag) => self.tag = Some(tag.clone()),
            Control::ErrorText { number, text } => {
                self.error = Some(ErrorText {
                    number: *number,
                    text: text.clone(),
                });
            }
        }
        Ok(())
    }

    fn checks_source(&self) -> bool {
        let source = self.question.source_channel;
        !self.surroundings.channel_traits(source).no_rules
    }

    fn check_source(&mut self, is: bool, channel: &str) {
        if !self.checks_source() {
            return;
        }
        let hit = channel.eq_ignore_ascii_case(self.question.source_channel.as_str());
        if is {
            either(&mut self.channels.source, hit);
        } else {
            self.channels.failed |= hit;
        }
    }

    /// Ignored for the envelope To: address, whose destination is only being found.
    fn check_destination(&mut self, is: bool, channel: &str) {
        let question = self.question;
        let is_envelope_to =
            question.part == Part::Envelope && question.direction == Direction::Forward;
        let Some(destination) = question.destination_channel.filter(|_| !is_envelope_to) else {
            return;
        };
        if self.surroundings.channel_traits(destination).no_rules {
            return;
        }
        let hit = channel.eq_ignore_ascii_case(destination.as_str());
        if is {
            either(&mut self.channels.destination, hit);
        } else {
            self.channels.failed |= hit;
        }
    }

    /// Acts on the control whose argument is complete now, if one is pending.
    fn close_argument(&mut self) -> Result<(), Halt> {
        let Some((control, domain)) = self.output.argument.take() else {
            return Ok(());
        };
        let Control::LocalDomain(wanted) = control else {
            return Ok(());
        };
        let answer = self.surroundings.domain_is_local(&domain);
        self.tell(|| Event::Called {
            call: "local domains".to_owned(),
            argument: domain.clone(),
            result: answer
                .ok()
                .map(|is| if is { "local" } else { "not local" }.to_owned()),
        });
        match answer {
            Ok(is) if is == wanted => Ok(()),
            Ok(_) => Err(Halt::Refused(Refusal::Domain { domain, wanted })),
            Err(_) => Err(Halt::NoAnswer(domain)),
        }
    }

    /// The text of an argument: pieces executed into an output of their own.
    pub(crate) fn argument(&mut self, pieces: &[Piece], nesting: u32) -> Result<String, Halt> {
        let outer = std::mem::take(&mut self.output);
        let was_in_argument = std::mem::replace(&mut self.in_argument, true);
        let result = self
            .pieces(pieces, nesting)
            .and_then(|()| self.close_argument());
        let inner = std::mem::replace(&mut self.output, outer);
        self.in_argument = was_in_argument;
        result.map(|()| inner.into_text())
    }
}

fn told(form: &Form) -> Event {
    let some = |text: &String| Some(text.clone());
    match form {
        Form::Address {
            user,
            domain,
            route,
            tag,
        } => Event::Applied {
            user: some(user),
            domain: some(domain),
            route: route.clone(),
            tag: some(tag),
        },
        Form::Restart { user, domain } => Event::Applied {
            user: some(user),
            domain: some(domain),
            route: None,
            tag: None,
        },
        Form::AsItIs => Event::Applied {
            user: None,
            domain: None,
            route: None,
            tag: None,
        },
    }
}

/// The internal reprocessing channels, with their families.
fn is_reprocessing(channel: &str) -> bool {
    ["reprocess", "process"].iter().any(|name| {
        channel
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}
