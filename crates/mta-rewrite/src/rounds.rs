//! The rounds of a rewrite: extract, scan, apply, finish, and again where that is asked for.

use mta_envelope::address::MAX_ADDRESS;
use mta_envelope::status::Status;
use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::apply::{Applied, ErrorText, Match, apply};
use crate::explain::{Event, Place, Trace};
use crate::extract::{Extracted, extract};
use crate::output::Form;
use crate::search::for_each_probe;
use crate::surroundings::Owner;
use crate::template::Template;
use crate::{MAX_RESTARTS, Question, RewriteError, Rewritten, Rules, Surroundings};

/// Text for an address over [`MAX_ADDRESS`] octets.
const TOO_LONG: (Status, &str) = (Status::new(5, 1, 3), "address too long");
/// Text while the domain database cannot be read. Nothing may be decided without it: a later rule
/// could send an address elsewhere, or return it.
const UNREADABLE: (Status, &str) = (Status::new(4, 3, 5), "domain database cannot be read");
/// Text while the rules of a compiled configuration cannot be read; nothing may be decided either.
const NO_RULES: (Status, &str) = (Status::new(4, 3, 5), "rewrite rules cannot be read");
/// Text while a mapping table that a rule asks cannot be read.
const NO_TABLE: (Status, &str) = (Status::new(4, 3, 5), "mapping table cannot be read");
/// Text for the restart after the last one that is honoured.
const LOOP: (Status, &str) = (Status::new(5, 4, 6), "rewriting loop");

/// Rewrites the address of `question` and finds its channel.
///
/// # Errors
/// No channel owns the routing system, with the text and code that a rule set for it or those of
/// an unknown host; the address is or becomes too long (5.1.3); rewriting restarts without end
/// (5.4.6); the domain database or the rules cannot be read (4.3.5).
pub fn rewrite(
    rules: &Rules,
    question: &Question<'_>,
    surroundings: &dyn Surroundings,
    trace: &mut dyn Trace,
) -> Result<Rewritten, RewriteError> {
    let mut rounds = Rounds {
        rules,
        question,
        surroundings,
        trace,
        bang_over_percent: false,
        has_domain_rules: surroundings.has_domain_rules(),
        tag: String::new(),
        error: None,
        temporary: false,
        restarts: 0,
        key: String::new(),
    };
    let mut address = Cow::Borrowed(question.address);
    let result = loop {
        match rounds.round(&address) {
            Ok(Next::Round(next)) => address = Cow::Owned(next),
            Ok(Next::Done(rewritten)) => break Ok(rewritten),
            Err(error) => break Err(error),
        }
    };
    rounds.tell(|| match &result {
        Ok(rewritten) => Event::Found {
            address: rewritten.address.clone(),
            channel: rewritten.channel.to_string(),
            tag: rewritten.tag.clone(),
        },
        Err(error) => Event::Failed {
            status: error.status.to_string(),
            text: error.text.clone(),
        },
    });
    result
}

/// What follows a round.
enum Next {
    /// Another one with this address.
    Round(String),
    /// Nothing.
    Done(Rewritten),
}

/// What lasts over the rounds of one rewrite.
struct Rounds<'x> {
    rules: &'x Rules,
    question: &'x Question<'x>,
    surroundings: &'x dyn Surroundings,
    trace: &'x mut dyn Trace,
    bang_over_percent: bool,
    has_domain_rules: bool,
    /// The current tag.
    tag: String,
    /// The current error text.
    error: Option<ErrorText>,
    /// The directory did not answer on the way.
    temporary: bool,
    restarts: u32,
    /// Room for the key of a probe.
    key: String,
}

impl Rounds<'_> {
    fn tell(&mut self, event: impl FnOnce() -> Event) {
        if self.trace.listens() {
            self.trace.event(event());
        }
    }

    fn round(&mut self, address: &str) -> Result<Next, RewriteError> {
        if address.len() > MAX_ADDRESS {
            return Err(RewriteError::new(TOO_LONG.0, TOO_LONG.1));
        }
        // Only an address with an exclamation mark has a bang form.
        let source = self.question.source_channel;
        self.bang_over_percent =
            address.contains('!') && self.surroundings.channel_traits(source).bang_over_percent;
        let tag = self.tag.clone();
        self.tell(|| Event::Round {
            address: address.to_owned(),
            tag,
        });
        let Some(extracted) = extract(address, self.bang_over_percent) else {
            let host = self.supplied_host();
            return Ok(Next::Round(format!("{address}@{host}")));
        };
        self.tell(|| Event::Extracted {
            host: extracted.host.to_owned(),
            place: extracted.place,
            user: extracted.user.to_owned(),
        });
        let applied = self.scan(address, &extracted)?;
        match self.finish(&extracted, applied)? {
            Some(next) => Ok(next),
            None => self.last_resort(address, &extracted),
        }
    }

    /// The host of an address that names none.
    fn supplied_host(&mut self) -> String {
        let surroundings = self.surroundings;
        let host = surroundings
            .default_host(self.question.source_channel)
            .unwrap_or_else(|| surroundings.local_host())
            .to_owned();
        self.tell(|| Event::HostSupplied { host: host.clone() });
        host
    }

    /// Probes the forms of the host until a rule succeeds.
    fn scan(
        &mut self,
        address: &str,
        extracted: &Extracted<'_>,
    ) -> Result<Option<Applied>, RewriteError> {
        let folded = folded(extracted.host);
        let stars = self.rules.has_stars() || self.trace.listens();
        let found = for_each_probe(&folded, stars, |probe| {
            let matched = Match {
                address,
                specification: extracted.host,
                place: extracted.place,
                user: extracted.user,
                split: probe.split,
                literal: probe.literal,
            };
            match self.probe(probe.pattern, probe.in_database, &matched) {
                Ok(None) => ControlFlow::Continue(()),
                found => ControlFlow::Break(found),
            }
        });
        found.break_value().unwrap_or(Ok(None))
    }

    /// Tries the rules with one pattern in order, then those of the domain database.
    fn probe(
        &mut self,
        pattern: &str,
        in_database: bool,
        matched: &Match<'_>,
    ) -> Result<Option<Applied>, RewriteError> {
        if pattern == "$*" && !self.rules.has_first() && !self.trace.listens() {
            return Ok(None);
        }
        // Taken out, so that the rules may be applied meanwhile.
        let mut room = std::mem::take(&mut self.key);
        let key = if self.tag.is_empty() {
            pattern
        } else {
            room.clear();
            room.push_str(&self.tag);
            room.make_ascii_lowercase();
            room.push_str(pattern);
            room.as_str()
        };
        let tried = self.probe_key(key, in_database, matched);
        self.key = room;
        tried
    }

    fn probe_key(
        &mut self,
        key: &str,
        in_database: bool,
        matched: &Match<'_>,
    ) -> Result<Option<Applied>, RewriteError> {
        let rules = self.rules;
        let with_pattern = rules.with_pattern(key);
        let with_pattern = with_pattern.map_err(|_| RewriteError::new(NO_RULES.0, NO_RULES.1))?;
        let from_database = if in_database && self.has_domain_rules {
            let found = self.surroundings.domain_rules(key);
            found.map_err(|_| RewriteError::new(UNREADABLE.0, UNREADABLE.1))?
        } else {
            Vec::new()
        };
        if self.trace.listens() {
            self.trace.event(Event::Probed {
                pattern: key.to_owned(),
                rules: with_pattern.len() + from_database.len(),
            });
        }
        let mut tried = None;
        for (place, rule) in with_pattern.iter() {
            self.tell(|| Event::Tried {
                number: *place as usize + 1,
                line: rule.line(),
                pattern: rule.pattern().to_owned(),
                template: rule.template().to_owned(),
            });
            tried = self.apply(&rule.template, matched)?;
            if tried.is_some() {
                break;
            }
        }
        for text in from_database {
            if tried.is_some() {
                break;
            }
            let pattern = key.to_owned();
            self.tell(|| Event::Tried {
                number: 0,
                line: 0,
                pattern,
                template: text.clone(),
            });
            tried = self.apply(&Template::compile_rule(&text).0, matched)?;
        }
        Ok(tried)
    }

    /// Applies one template and keeps what it sets, if it succeeds.
    fn apply(
        &mut self,
        template: &Template,
        matched: &Match<'_>,
    ) -> Result<Option<Applied>, RewriteError> {
        let applied = apply(
            template,
            self.question,
            matched,
            self.surroundings,
            self.trace,
        );
        let applied = applied.map_err(|_| RewriteError::new(NO_TABLE.0, NO_TABLE.1))?;
        let Some(mut applied) = applied else {
            return Ok(None);
        };
        if let Some(tag) = applied.tag.take() {
            self.tag = tag;
        }
        if let Some(error) = applied.error.take() {
            self.error = Some(error);
        }
        self.temporary |= applied.temporary;
        Ok(Some(applied))
    }

    /// Acts on what the scan found. Nothing comes out if the host could not be rewritten and
    /// the rules for percent and bang forms may be tried.
    fn finish(
        &mut self,
        extracted: &Extracted<'_>,
        applied: Option<Applied>,
    ) -> Result<Option<Next>, RewriteError> {
        let host = || extracted.host.to_owned();
        let user = || extracted.user.to_owned();
        let mut is_final = false;
        let (user, domain, route, tag) = match applied.map(|applied| applied.form) {
            Some(Form::Restart { user, domain }) => {
                return self.restart(extracted, &user, &domain).map(Some);
            }
            Some(Form::Address {
                user,
                domain,
                route,
                tag,
            }) => (user, domain, route, tag),
            Some(Form::AsItIs) => {
                is_final = true;
                (user(), host(), None, host())
            }
            None => {
                self.tell(|| Event::Unmatched { host: host() });
                (user(), host(), None, host())
            }
        };
        let Some(owner) = self.look_up(&tag) else {
            let has_at = matches!(extracted.place, Place::At | Place::Route);
            return if is_final || has_at {
                Err(self.unknown_host())
            } else {
                Ok(None)
            };
        };
        if (owner.is_local || owner.routelocal)
            && extracted.has_further_host(self.bang_over_percent)
        {
            let rest = extracted.rest.to_owned();
            self.tell(|| Event::Peeled {
                address: rest.clone(),
            });
            return Ok(Some(Next::Round(rest)));
        }
        let address = extracted.replaced(&user, &domain, route.as_deref());
        let host = route.unwrap_or(domain);
        Ok(Some(Next::Done(rewritten(owner, address, host, tag))))
    }

    fn restart(
        &mut self,
        extracted: &Extracted<'_>,
        user: &str,
        domain: &str,
    ) -> Result<Next, RewriteError> {
        self.restarts += 1;
        if self.restarts > MAX_RESTARTS {
            return Err(RewriteError::new(LOOP.0, LOOP.1));
        }
        let address = extracted.replaced(user, domain, None);
        self.tell(|| Event::Restarted {
            address: address.clone(),
        });
        Ok(Next::Round(address))
    }

    /// A percent or bang form whose host could not be rewritten: the rules `$%` or `$!`, and
    /// then this machine.
    fn last_resort(
        &mut self,
        address: &str,
        extracted: &Extracted<'_>,
    ) -> Result<Next, RewriteError> {
        let pattern = match extracted.place {
            Place::Percent => "$%",
            Place::Bang => "$!",
            Place::At | Place::Route => return Err(self.unknown_host()),
        };
        let matched = Match {
            address,
            specification: extracted.host,
            place: extracted.place,
            user: address,
            split: 0,
            literal: (0, 0),
        };
        if let Some(applied) = self.probe(pattern, true, &matched)?
            && let Some(next) = self.finish(extracted, Some(applied))?
        {
            return Ok(next);
        }
        let local_host = self.surroundings.local_host().to_owned();
        let owner = self
            .look_up(&local_host)
            .ok_or_else(|| self.unknown_host())?;
        let whole = format!("{address}@{local_host}");
        Ok(Next::Done(rewritten(
            owner,
            whole,
            local_host.clone(),
            local_host,
        )))
    }

    fn unknown_host(&self) -> RewriteError {
        match &self.error {
            Some(ErrorText { number, text }) => {
                let status = number.map_or(Status::UNKNOWN_HOST, status_of);
                RewriteError::new(status, text)
            }
            None => {
                let class = if self.temporary { 4 } else { 5 };
                let status = Status::UNKNOWN_HOST.with_class(class);
                RewriteError::new(status, self.surroundings.unknown_host_text())
            }
        }
    }
}

impl<'x> Rounds<'x> {
    fn look_up(&mut self, tag: &str) -> Option<Owner<'x>> {
        let surroundings = self.surroundings;
        let owner = surroundings.channel_owning(tag);
        self.tell(|| Event::LookedUp {
            tag: tag.to_owned(),
            channel: owner.map(|owner| owner.channel.to_string()),
        });
        owner
    }
}

/// A host in lower case; nearly every one already is.
fn folded(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

fn rewritten(owner: Owner<'_>, address: String, host: String, tag: String) -> Rewritten {
    Rewritten {
        address,
        host,
        tag,
        channel: owner.channel.clone(),
        official_host: owner.official_host.to_owned(),
        proper_name: owner.proper_name.map(str::to_owned),
        is_local: owner.is_local,
    }
}

/// `nxxxyyy`: class, subject and detail; a class other than 4 counts as permanent.
fn status_of(number: u32) -> Status {
    let part = |value: u32| u16::try_from(value % 1000).unwrap_or(0);
    let class = if number / 1_000_000 == 4 { 4 } else { 5 };
    Status::new(class, part(number / 1000), part(number))
}
