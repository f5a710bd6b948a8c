//! Flags with arguments: the fields of an output, dealt out in the documented reading order.

use mta_mapping::{Flags, Mapped};

/// One flag of a table and how many `|`-fields it takes.
#[derive(Debug, Clone, Copy)]
pub struct Taker {
    /// The flag.
    pub flag: char,
    /// Fields it takes; almost always one.
    pub fields: usize,
}

/// A taker of one field.
#[must_use]
pub const fn one(flag: char) -> Taker {
    Taker { flag, fields: 1 }
}

/// What each flag that was set got, in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dealt {
    taken: Vec<(char, String)>,
    rest: String,
}

impl Dealt {
    /// Deals the output of `mapped` in the order of `takers`, whatever the order of the flags in
    /// the template. The last taker that was set takes the rest, further `|` included.
    #[must_use]
    pub fn deal(mapped: &Mapped, takers: &[Taker]) -> Self {
        let set: Vec<&Taker> = takers
            .iter()
            .filter(|taker| mapped.flags.contains(taker.flag))
            .collect();
        let mut dealt = Self {
            taken: Vec::new(),
            rest: mapped.output.clone(),
        };
        for (index, taker) in set.iter().enumerate() {
            let last = index + 1 == set.len();
            let field = if last {
                std::mem::take(&mut dealt.rest)
            } else {
                dealt.cut(taker.fields)
            };
            dealt.taken.push((taker.flag, field));
        }
        dealt
    }

    /// What `flag` got; `Some("")` if it was set and nothing was left for it.
    #[must_use]
    pub fn get(&self, flag: char) -> Option<&str> {
        self.taken
            .iter()
            .find(|(taken, _)| *taken == flag)
            .map(|(_, text)| text.as_str())
    }

    /// What `flag` got, if it is a number.
    #[must_use]
    pub fn number(&self, flag: char) -> Option<i64> {
        self.get(flag)?.trim().parse().ok()
    }

    /// What no flag took.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.rest
    }

    fn cut(&mut self, fields: usize) -> String {
        let end = self
            .rest
            .match_indices('|')
            .nth(fields - 1)
            .map(|(at, _)| at);
        match end {
            Some(at) => {
                let field = self.rest[..at].to_owned();
                self.rest.drain(..=at);
                field
            }
            None => std::mem::take(&mut self.rest),
        }
    }
}

/// Whether the table could not see all of its input, not say all of its output, or not be read. A
/// text that is too long matches no entry, and what no entry matches is allowed: so whoever asks
/// for a permission has to look at this first.
#[must_use]
pub const fn is_incomplete(mapped: &Mapped) -> bool {
    mapped.input_too_long || mapped.output_cut || mapped.unreadable
}

/// Whether any of `flags` is set.
#[must_use]
pub fn any(set: Flags, flags: &str) -> bool {
    flags.chars().any(|flag| set.contains(flag))
}

/// The flag that refuses, `$N` or `$F`; it takes one text, whichever of the two is set.
#[must_use]
pub fn refusing(set: Flags) -> Taker {
    one(if set.contains('N') { 'N' } else { 'F' })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(output: &str, flags: &str) -> Mapped {
        Mapped {
            matched: true,
            output: output.into(),
            flags: Flags::of(flags),
            ..Mapped::default()
        }
    }

    #[test]
    fn the_order_of_flags_in_the_template_does_not_matter() {
        let takers = [one('U'), one('D'), one('X'), one('N')];
        for flags in ["ND", "DN"] {
            let dealt = Dealt::deal(&mapped("30|Relaying not allowed", flags), &takers);
            assert_eq!(dealt.number('D'), Some(30));
            assert_eq!(dealt.get('N'), Some("Relaying not allowed"));
            assert_eq!(dealt.get('X'), None);
        }
    }

    #[test]
    fn the_last_one_takes_the_rest_and_a_missing_field_is_empty() {
        let takers = [one('X'), one('N')];
        let dealt = Dealt::deal(&mapped("4.2.1|a|b", "XN"), &takers);
        assert_eq!(
            (dealt.get('X'), dealt.get('N')),
            (Some("4.2.1"), Some("a|b"))
        );
        let dealt = Dealt::deal(&mapped("4.2.1", "XN"), &takers);
        assert_eq!((dealt.get('X'), dealt.get('N')), (Some("4.2.1"), Some("")));
        let dealt = Dealt::deal(&mapped("EXTERNAL", "Y"), &takers);
        assert_eq!(dealt.rest(), "EXTERNAL");
    }

    #[test]
    fn a_flag_may_take_two_fields() {
        let takers = [
            Taker {
                flag: 'I',
                fields: 2,
            },
            one('N'),
        ];
        let dealt = Dealt::deal(&mapped("user|group|no", "IN"), &takers);
        assert_eq!(
            (dealt.get('I'), dealt.get('N')),
            (Some("user|group"), Some("no"))
        );
    }
}
