//! Expanding a template: what an entry makes of its fields.

use crate::evaluate::Evaluation;
use crate::matching::Matcher;
use crate::template::{Call, Case, Control, Piece};
use crate::{Event, Flags, Input, MAX_TEXT, TemporaryFailure};

/// What the expansion of one entry left behind.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    /// The output; nothing if the entry failed.
    pub(crate) text: Option<String>,
    /// Flags up to the end, or to the failing sequence.
    pub(crate) flags: Flags,
    /// The last control character up to there.
    pub(crate) control: Option<Control>,
}

/// Why the expansion stopped before the end of the template.
#[derive(Debug)]
enum Stop {
    /// `$+1E`.
    Now,
    /// The entry fails.
    Failed(String),
}

/// Text under construction, with the settings that hold for it.
#[derive(Default)]
struct Output {
    text: String,
    case: Case,
    quotes: bool,
}

impl Output {
    fn plain(&mut self, text: &str) {
        match self.case {
            Case::AsIs => self.text.push_str(text),
            Case::Lower => self
                .text
                .extend(text.chars().map(|c| c.to_ascii_lowercase())),
            Case::Upper => self
                .text
                .extend(text.chars().map(|c| c.to_ascii_uppercase())),
        }
    }

    fn substituted(&mut self, text: &str) {
        if self.quotes {
            self.plain(&ldap_quoted(text));
        } else {
            self.plain(text);
        }
    }

    fn case(&mut self, case: Case) {
        self.case = case;
        if case == Case::AsIs {
            self.quotes = false;
        }
    }
}

/// `text` as it may stand in an LDAP filter (RFC 4515 §3).
#[must_use]
pub fn ldap_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '(' | ')' | '\\' | '\0' => quoted.push_str(&format!("\\{:02x}", u32::from(c))),
            _ => quoted.push(c),
        }
    }
    quoted
}

/// Expands `pieces` with the fields of `matcher`.
pub(crate) fn expand(
    evaluation: &mut Evaluation<'_>,
    pieces: &[Piece],
    matcher: &Matcher<'_>,
    input: &Input<'_>,
    depth: u32,
) -> Expanded {
    let mut expansion = Expansion {
        evaluation,
        matcher,
        input,
        depth,
        fallback: None,
        flags: Flags::NONE,
        control: None,
    };
    let mut output = Output::default();
    let text = match expansion.pieces(pieces, &mut output) {
        Ok(()) => Some(output.text),
        Err(Stop::Now) => {
            expansion.control = Some(Control::End);
            Some(output.text)
        }
        Err(Stop::Failed(reason)) => {
            expansion
                .evaluation
                .tell(|| Event::Failed { reason, depth });
            None
        }
    };
    Expanded {
        text,
        flags: expansion.flags,
        control: expansion.control,
    }
}

struct Expansion<'x, 'e> {
    evaluation: &'x mut Evaluation<'e>,
    matcher: &'x Matcher<'x>,
    input: &'x Input<'x>,
    depth: u32,
    fallback: Option<&'x str>,
    flags: Flags,
    control: Option<Control>,
}

impl<'x> Expansion<'x, '_> {
    fn pieces(&mut self, pieces: &'x [Piece], output: &mut Output) -> Result<(), Stop> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => output.plain(text),
                Piece::Field(number) => {
                    output.substituted(self.matcher.field(usize::from(*number)).unwrap_or(""));
                }
                Piece::Case(case) => output.case(*case),
                Piece::QuoteLdap => output.quotes = true,
                Piece::Call(call) => {
                    let result = self.call(call)?;
                    output.substituted(&result);
                }
                Piece::Address(None) => output.substituted(self.input.address),
                Piece::Address(Some(number)) => {
                    let mut characters = self.input.address.chars();
                    let part = characters.nth(*number as usize).map(String::from);
                    output.substituted(part.as_deref().unwrap_or(""));
                }
                Piece::Host(None) => output.substituted(self.input.host),
                Piece::Host(Some(number)) => {
                    let part = self.input.host.split('.').nth(*number as usize);
                    output.substituted(part.unwrap_or(""));
                }
                Piece::Chance(percent) => {
                    if !self.evaluation.callouts.chance(*percent) {
                        return Err(Stop::Failed(format!("not among the {percent} percent")));
                    }
                }
                Piece::IfSet(flag) => {
                    if !self.input.flags.contains(*flag) {
                        return Err(Stop::Failed(format!("input flag {flag} is clear")));
                    }
                }
                Piece::IfClear(flag) => {
                    if self.input.flags.contains(*flag) {
                        return Err(Stop::Failed(format!("input flag {flag} is set")));
                    }
                }
                Piece::OnTemporaryFailure(text) => {
                    self.fallback = Some(text.as_str()).filter(|text| !text.is_empty());
                }
                Piece::Control(control) => self.control = Some(*control),
                Piece::EndNow => return Err(Stop::Now),
                Piece::Flag(flag) => self.flags.set(*flag),
            }
        }
        Ok(())
    }

    /// The text of an argument; its case and quoting are its own.
    fn argument(&mut self, pieces: &'x [Piece]) -> Result<String, Stop> {
        let mut output = Output::default();
        self.pieces(pieces, &mut output)?;
        Ok(output.text)
    }

    fn call(&mut self, call: &'x Call) -> Result<String, Stop> {
        if !self.evaluation.may_go_on() {
            return Err(Stop::Failed("too many calls".to_owned()));
        }
        match call {
            Call::Sequence {
                file,
                radix,
                width,
                modulus,
            } => {
                let file = self.argument(file)?;
                let number = self.evaluation.callouts.sequence(&file);
                let text = number.map(|n| {
                    let n = modulus.map_or(n, |modulus| n % modulus);
                    in_radix(n, *radix, *width)
                });
                self.answer("sequence", &file, Ok(text))
            }
            Call::Url(url) => {
                let url = self.argument(url)?;
                let result = self.evaluation.callouts.url(&url);
                self.answer("url", &url, result)
            }
            Call::Table { name, argument } => {
                let name = self.argument(name)?;
                let argument = self.argument(argument)?;
                self.table(&name, &argument)
            }
            Call::Database(key) => {
                let key = self.argument(key)?;
                let result = self.evaluation.callouts.database(&key);
                let value = self.answer("database", &key, result)?;
                Ok(self.database_value(&value))
            }
            Call::Domain { domain, attribute } => {
                let domain = self.argument(domain)?;
                let callouts = self.evaluation.callouts;
                let result = callouts.domain_attribute(&domain, attribute);
                self.answer("domain", &format!("{domain},{attribute}"), result)
            }
            Call::Routine {
                image,
                routine,
                argument,
            } => {
                let argument = self.argument(argument)?;
                let result = self.evaluation.callouts.routine(image, routine, &argument);
                self.answer(
                    "routine",
                    &format!("{image}\\{routine}({argument})"),
                    result,
                )
            }
        }
    }

    fn table(&mut self, name: &str, argument: &str) -> Result<String, Stop> {
        if self.depth >= crate::MAX_DEPTH {
            return Err(Stop::Failed(format!("{name} is called too deep")));
        }
        let input = Input {
            text: argument,
            ..*self.input
        };
        let mapped = self.evaluation.run(name, &input, self.depth + 1);
        if mapped.matched && mapped.flags.contains('Y') {
            Ok(mapped.output)
        } else {
            Err(Stop::Failed(format!("{name} did not answer with $Y")))
        }
    }

    /// Tells an answer and makes a failure of the lack of one.
    fn answer(
        &mut self,
        call: &str,
        argument: &str,
        result: Result<Option<String>, TemporaryFailure>,
    ) -> Result<String, Stop> {
        let depth = self.depth;
        self.evaluation.tell(|| Event::Called {
            call: call.to_owned(),
            argument: argument.to_owned(),
            result: result.clone().ok().flatten(),
            depth,
        });
        match result {
            Ok(Some(text)) => Ok(cut(text).0),
            Ok(None) => Err(Stop::Failed(format!(
                "{call} has no answer for \"{argument}\""
            ))),
            Err(failure) => self.fallback.map(str::to_owned).ok_or_else(|| {
                Stop::Failed(format!("{failure}: {call} did not answer \"{argument}\""))
            }),
        }
    }

    /// Fields and quoted characters of a database value; nothing else counts in it.
    fn database_value(&self, value: &str) -> String {
        let mut text = String::with_capacity(value.len());
        let mut characters = value.chars();
        while let Some(c) = characters.next() {
            match c {
                '$' => match characters.next() {
                    Some(digit @ '0'..='9') => {
                        let number = digit as usize - '0' as usize;
                        text.push_str(self.matcher.field(number).unwrap_or(""));
                    }
                    Some(quoted) => text.push(quoted),
                    None => text.push('$'),
                },
                _ => text.push(c),
            }
        }
        text
    }
}

/// Cuts at [`MAX_TEXT`] characters; says whether anything was cut.
pub(crate) fn cut(mut text: String) -> (String, bool) {
    if text.len() <= MAX_TEXT {
        return (text, false);
    }
    let end = text.char_indices().nth(MAX_TEXT).map(|(end, _)| end);
    if let Some(end) = end {
        text.truncate(end);
    }
    (text, end.is_some())
}

fn in_radix(mut number: u64, radix: u32, width: usize) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        let digit = u32::try_from(number % u64::from(radix)).unwrap_or(0);
        let digit = char::from_digit(digit, radix).unwrap_or('0');
        digits.push(digit.to_ascii_uppercase());
        number /= u64::from(radix);
    }
    digits.resize(digits.len().max(width), '0');
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_in_their_radix() {
        for (number, radix, width, text) in [
            (0, 10, 0, "0"),
            (7, 10, 3, "007"),
            (255, 16, 0, "FF"),
            (1295, 36, 1, "ZZ"),
            (5, 2, 4, "0101"),
        ] {
            assert_eq!(in_radix(number, radix, width), text);
        }
    }

    #[test]
    fn filter_characters_are_quoted() {
        assert_eq!(ldap_quoted("a*(b)\\c"), "a\\2a\\28b\\29\\5cc");
    }
}
