//! The switch dialect: `-word`, `-noword`, `-word=value`, in any order with the parameters, every
//! keyword cut to any unambiguous prefix and written in either case.

use crate::message::Message;

/// What a switch takes behind `=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Nothing; `-noword` is understood.
    None,
    /// Perhaps a value of this name; `-noword` is understood.
    Optional(&'static str),
    /// A value of this name; `-noword` takes it back.
    Required(&'static str),
}

/// One switch of a command.
#[derive(Debug, Clone, Copy)]
pub struct Switch {
    /// The word without its dash.
    pub name: &'static str,
    /// What stands behind `=`.
    pub value: Value,
    /// One sentence for help, manual page and completion.
    pub help: &'static str,
}

impl Switch {
    /// A switch without a value.
    #[must_use]
    pub const fn flag(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            value: Value::None,
            help,
        }
    }

    /// A switch that needs a value.
    #[must_use]
    pub const fn with(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            name,
            value: Value::Required(value),
            help,
        }
    }

    /// A switch that may have a value.
    #[must_use]
    pub const fn maybe(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            name,
            value: Value::Optional(value),
            help,
        }
    }
}

/// One command (or sub-command) with everything it understands.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// The keyword.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// The parameters as the usage line shows them.
    pub parameters: &'static str,
    /// Fewest parameters.
    pub least: usize,
    /// Most parameters.
    pub most: usize,
    /// The switches.
    pub switches: &'static [Switch],
}

/// What was typed, sorted into switches and parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    switches: Vec<(&'static str, bool, Option<String>)>,
    parameters: Vec<String>,
}

impl Words {
    /// Whether `name` was given: `Some(false)` for `-noname`. The last one wins.
    #[must_use]
    pub fn on(&self, name: &str) -> Option<bool> {
        self.last(name).map(|(on, _)| on)
    }

    /// As [`Words::on`] with a default.
    #[must_use]
    pub fn is_on(&self, name: &str, default: bool) -> bool {
        self.on(name).unwrap_or(default)
    }

    /// The value given to `name`, if it was given and not taken back.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.last(name).filter(|(on, _)| *on)?.1
    }

    /// The value of `name` as a number.
    ///
    /// # Errors
    /// `IMTA-E-IVVALU` when the value is no number of that kind.
    pub fn number<N: std::str::FromStr>(&self, name: &'static str) -> Result<Option<N>, Message> {
        let Some(text) = self.value(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let mut message = Message::error(
                "IMTA",
                "IVVALU",
                format!("invalid value for -{name}: a number is expected"),
            );
            message.word = Some(text.to_owned());
            message
        })
    }

    /// The parameter at `index`.
    #[must_use]
    pub fn parameter(&self, index: usize) -> Option<&str> {
        self.parameters.get(index).map(String::as_str)
    }

    /// All parameters.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    fn last(&self, name: &str) -> Option<(bool, Option<&str>)> {
        let found = self
            .switches
            .iter()
            .rev()
            .find(|(word, _, _)| *word == name)?;
        Some((found.1, found.2.as_deref()))
    }
}

impl Verb {
    /// Sorts what was typed behind the verb.
    ///
    /// # Errors
    /// `IVKEYW` for an unknown switch, `ABKEYW` for an ambiguous one, `INSFPRM` for a missing
    /// parameter, `MAXPARM` for one too many, `VALREQ` and `NOVALU` for a missing or a useless
    /// value.
    pub fn parse(&self, typed: &[String]) -> Result<Words, Message> {
        let mut words = Words::default();
        for word in typed {
            match word.strip_prefix('-') {
                Some(switch) if !switch.is_empty() => self.switch(switch, &mut words)?,
                Some(_) | None => words.parameters.push(word.clone()),
            }
        }
        if words.parameters.len() < self.least {
            let text = format!("missing command parameters - usage: {}", self.usage());
            return Err(Message::error("IMTA", "INSFPRM", text));
        }
        if let Some(extra) = words.parameters.get(self.most) {
            let mut message = Message::error(
                "IMTA",
                "MAXPARM",
                "too many parameters - reenter command with fewer",
            );
            message.word = Some(extra.clone());
            return Err(message);
        }
        Ok(words)
    }

    /// `directory [-held] [-from=address] [channel]`, for help and complaints.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut text = self.name.to_owned();
        for switch in self.switches {
            text.push_str(&match switch.value {
                Value::None => format!(" [-[no]{}]", switch.name),
                Value::Optional(value) => format!(" [-{}[={value}]]", switch.name),
                Value::Required(value) => format!(" [-{}={value}]", switch.name),
            });
        }
        if !self.parameters.is_empty() {
            text.push(' ');
            text.push_str(self.parameters);
        }
        text
    }

    fn switch(&self, typed: &str, words: &mut Words) -> Result<(), Message> {
        let (word, value) = match typed.split_once('=') {
            Some((word, value)) => (word, Some(value.to_owned())),
            None => (typed, None),
        };
        let (switch, on) = self.find(word).map_err(|mut message| {
            message.word = Some(format!("-{word}"));
            message
        })?;
        let complaint = match (switch.value, on, value.is_some()) {
            (Value::Required(_), true, false) => {
                Some(("VALREQ", "missing qualifier or keyword value"))
            }
            (Value::None, _, true) | (_, false, true) => {
                Some(("NOVALU", "value not allowed - remove value specification"))
            }
            _ => None,
        };
        if let Some((ident, text)) = complaint {
            let mut message = Message::error("IMTA", ident, text);
            message.word = Some(format!("-{typed}"));
            return Err(message);
        }
        words.switches.push((switch.name, on, value));
        Ok(())
    }

    fn find(&self, word: &str) -> Result<(&Switch, bool), Message> {
        let names: Vec<&str> = self.switches.iter().map(|switch| switch.name).collect();
        let found = keyword(word, &names);
        if let Ok(index) = found {
            return Ok((&self.switches[index], true));
        }
        let negated = word
            .get(..2)
            .filter(|no| no.eq_ignore_ascii_case("no"))
            .and_then(|_| keyword(&word[2..], &names).ok())
            .map(|index| &self.switches[index]);
        match (found, negated) {
            (_, Some(switch)) => Ok((switch, false)),
            (Err(message), None) => Err(message),
            (Ok(index), None) => Ok((&self.switches[index], true)),
        }
    }
}

/// Finds the keyword that `typed` means: the same word, else the only one that begins so, else
/// (for words of more than four characters) the only one with the same first four.
///
/// # Errors
/// `IMTA-E-IVKEYW` and `IMTA-E-ABKEYW`.
pub fn keyword(typed: &str, names: &[&str]) -> Result<usize, Message> {
    let folded = typed.to_ascii_lowercase();
    if let Some(exact) = names.iter().position(|name| *name == folded) {
        return Ok(exact);
    }
    let beginning = |prefix: &str| -> Vec<usize> {
        let found = names
            .iter()
            .enumerate()
            .filter(|(_, name)| name.starts_with(prefix));
        found.map(|(index, _)| index).collect()
    };
    let mut candidates = if folded.is_empty() {
        Vec::new()
    } else {
        beginning(&folded)
    };
    if candidates.is_empty() && folded.len() > 4 && folded.is_char_boundary(4) {
        candidates = beginning(&folded[..4]);
    }
    let (ident, text) = match candidates[..] {
        [only] => return Ok(only),
        [] => (
            "IVKEYW",
            "unrecognized keyword - check validity and spelling",
        ),
        _ => (
            "ABKEYW",
            "ambiguous qualifier or keyword - supply more characters",
        ),
    };
    let mut message = Message::error("IMTA", ident, text);
    message.word = Some(typed.to_owned());
    Err(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERB: Verb = Verb {
        name: "directory",
        about: "list queued messages",
        parameters: "[channel]",
        least: 0,
        most: 1,
        switches: &[
            Switch::flag("held", "held ones"),
            Switch::flag("headers", "with headers"),
            Switch::with("from", "address", "from"),
            Switch::maybe("debug", "level", "debug"),
            Switch::flag("noreprocess", "a word that begins with no"),
        ],
    };

    fn parse(words: &[&str]) -> Result<Words, Message> {
        VERB.parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn switches_stand_anywhere_and_the_last_wins() {
        let words = parse(&["-held", "tcp_local", "-from=A@b", "-noheld"]).unwrap();
        assert_eq!(words.on("held"), Some(false));
        assert_eq!(words.value("from"), Some("A@b"));
        assert_eq!(words.parameters(), ["tcp_local"]);
        assert_eq!(parse(&["-from=<>"]).unwrap().value("from"), Some("<>"));
        assert_eq!(parse(&["-from="]).unwrap().value("from"), Some(""));
    }

    #[test]
    fn words_are_cut_to_unambiguous_prefixes_in_either_case() {
        assert_eq!(parse(&["-FR=x"]).unwrap().value("from"), Some("x"));
        assert_eq!(parse(&["-noheader"]).unwrap().on("headers"), Some(false));
        assert_eq!(parse(&["-norepr"]).unwrap().on("noreprocess"), Some(true));
        assert_eq!(parse(&["-he"]).unwrap_err().ident, "ABKEYW");
        let unknown = parse(&["-zedders"]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "%IMTA-E-IVKEYW, unrecognized keyword - check validity and spelling\n \\-zedders\\"
        );
    }

    #[test]
    fn values_and_parameters_are_counted() {
        assert_eq!(parse(&["-from"]).unwrap_err().ident, "VALREQ");
        let taken_back = parse(&["-from=a@b", "-nofrom"]).unwrap();
        assert_eq!(taken_back.value("from"), None);
        assert_eq!(parse(&["-held=1"]).unwrap_err().ident, "NOVALU");
        assert_eq!(parse(&["a", "b"]).unwrap_err().ident, "MAXPARM");
        assert_eq!(parse(&["-debug"]).unwrap().on("debug"), Some(true));
        assert_eq!(
            parse(&["-debug=5"]).unwrap().number::<u32>("debug"),
            Ok(Some(5))
        );
        assert!(
            parse(&["-debug=x"])
                .unwrap()
                .number::<u32>("debug")
                .is_err()
        );
    }

    #[test]
    fn four_characters_are_enough_for_a_longer_word() {
        let names = ["start", "stop", "summarize"];
        assert_eq!(keyword("summary", &names), Ok(2));
        assert_eq!(keyword("sum", &names), Ok(2));
        assert_eq!(keyword("st", &names).unwrap_err().ident, "ABKEYW");
        assert_eq!(keyword("", &names).unwrap_err().ident, "IVKEYW");
    }
}
