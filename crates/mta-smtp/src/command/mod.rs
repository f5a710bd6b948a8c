//! SMTP commands, strictly parsed.
//!
//! A line that passed [`parse`] is a value in which nothing is left to interpret: addresses are
//! checked, xtext is decoded and free of control characters, numbers have not overflowed. What
//! other servers let through (bare CR in an address, a quoted pair lost, an encoded newline) has
//! been the way into their queue files, so every doubt is an error here.

mod parameters;
mod path;

use mta_envelope::address::Address;
use mta_envelope::envelope::{Notify, Ret};

use crate::reply::Reply;

/// One command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// HELO or EHLO.
    Hello(Hello),
    /// MAIL FROM.
    Mail(Mail),
    /// RCPT TO.
    Rcpt(Rcpt),
    /// DATA.
    Data,
    /// BDAT.
    Bdat(Chunk),
    /// RSET.
    Rset,
    /// NOOP, with or without a text.
    Noop,
    /// QUIT.
    Quit,
    /// HELP, with or without a topic.
    Help,
    /// VRFY.
    Vrfy(String),
    /// EXPN.
    Expn(String),
    /// ETRN.
    Etrn(String),
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth {
        /// The mechanism's name as given.
        mechanism: String,
        /// The initial response, still in base64; `=` means an empty one.
        initial: Option<String>,
    },
    /// XADR, XCIR, XGEN or XSTA.
    Private(PrivateVerb, String),
    /// SEND, SAML or SOML, never supported.
    Send,
}

/// HELO or EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// EHLO rather than HELO.
    pub extended: bool,
    /// What the client calls itself; octets over 127 are replaced by `*`.
    pub name: String,
}

/// MAIL FROM with its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// The sender; nothing is the null sender `<>`. A source route has been taken off.
    pub sender: Option<Address>,
    /// The source route that stood before it, as `@a,@b`.
    pub route: Option<String>,
    /// SIZE (RFC 1870) in octets.
    pub size: Option<u64>,
    /// BODY (RFC 6152).
    pub body: Option<Body>,
    /// RET (RFC 3461).
    pub ret: Option<Ret>,
    /// ENVID (RFC 3461), decoded: printable ASCII only.
    pub envid: Option<String>,
    /// AUTH (RFC 4954), decoded; `Some(None)` is `AUTH=<>`.
    pub auth: Option<Option<String>>,
    /// SOLICIT (RFC 3865): keywords as given.
    pub solicit: Option<String>,
}

/// BODY parameter of MAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// 7BIT.
    SevenBit,
    /// 8BITMIME.
    EightBitMime,
}

/// RCPT TO with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// The recipient. A source route has been taken off.
    pub address: Address,
    /// The source route that stood before it, as `@a,@b`.
    pub route: Option<String>,
    /// NOTIFY (RFC 3461), with [`Notify::EXPLICIT`] set; nothing if it was not given.
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461): type and decoded address, printable only.
    pub original: Option<(String, String)>,
}

impl Rcpt {
    /// Whether a NOTIFY or ORCPT parameter was given.
    #[must_use]
    pub const fn has_options(&self) -> bool {
        self.notify.is_some() || self.original.is_some()
    }
}

/// BDAT's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Octets that follow the command line.
    pub size: u64,
    /// LAST was given.
    pub last: bool,
}

/// The private verbs of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrivateVerb {
    /// How would this address be routed?
    Xadr,
    /// Status of message circuits.
    Xcir,
    /// Is a compiled configuration in use?
    Xgen,
    /// Message counts.
    Xsta,
}

impl PrivateVerb {
    /// All of them, in the order of the EHLO list.
    pub const ALL: [Self; 4] = [Self::Xadr, Self::Xsta, Self::Xcir, Self::Xgen];

    /// The verb.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Xadr => "XADR",
            Self::Xcir => "XCIR",
            Self::Xgen => "XGEN",
            Self::Xsta => "XSTA",
        }
    }
}

/// Which command a line is, without regard to its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// HELO.
    Helo,
    /// EHLO.
    Ehlo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// BDAT.
    Bdat,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// HELP.
    Help,
    /// VRFY.
    Vrfy,
    /// EXPN.
    Expn,
    /// ETRN.
    Etrn,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// A private verb.
    Private(PrivateVerb),
    /// SEND, SAML or SOML.
    Send,
}

const VERBS: [(&str, Verb); 22] = [
    ("HELO", Verb::Helo),
    ("EHLO", Verb::Ehlo),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("QUIT", Verb::Quit),
    ("HELP", Verb::Help),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("ETRN", Verb::Etrn),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("XADR", Verb::Private(PrivateVerb::Xadr)),
    ("XCIR", Verb::Private(PrivateVerb::Xcir)),
    ("XGEN", Verb::Private(PrivateVerb::Xgen)),
    ("XSTA", Verb::Private(PrivateVerb::Xsta)),
    ("SEND", Verb::Send),
    ("SAML", Verb::Send),
    ("SOML", Verb::Send),
];

/// Why a line is no legal command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such verb.
    #[error("unknown command {0:?}")]
    UnknownVerb(String),
    /// The arguments of a known verb are not what they must be.
    #[error("syntax error in {0}")]
    Syntax(String),
    /// A parameter nobody offered.
    #[error("unsupported parameter {0:?}")]
    Parameter(String),
    /// A non-ASCII address without SMTPUTF8.
    #[error("non-ASCII address")]
    NonAscii,
}

impl CommandError {
    /// What the client is told.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::UnknownVerb(verb) => Reply::new(
                500,
                (5, 5, 1),
                format!("Unknown command \"{verb}\" specified."),
            ),
            Self::Syntax(what) => Reply::new(501, (5, 5, 2), format!("Syntax error in {what}.")),
            Self::Parameter(name) => Reply::new(
                555,
                (5, 5, 4),
                format!("Parameter \"{name}\" is not supported."),
            ),
            Self::NonAscii => Reply::new(553, (5, 6, 7), "non-ASCII addresses not permitted"),
        }
    }
}

/// A line as text: every octet is one character, so that those over 127 are `\u{80}` to `\u{ff}`.
#[must_use]
pub fn octets_as_text(line: &[u8]) -> String {
    line.iter().map(|&octet| char::from(octet)).collect()
}

/// At most `longest` characters of a text from outside, fit for a reply or a log.
#[must_use]
pub fn printable(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(longest).map(clean).collect()
}

/// Splits a command line, without its CRLF, into its verb and the text behind it.
///
/// # Errors
/// [`CommandError::UnknownVerb`].
pub fn split(line: &str) -> Result<(Verb, &str), CommandError> {
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let known = VERBS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    match known {
        Some((_, verb)) => Ok((*verb, rest.trim_matches([' ', '\t']))),
        None => {
            let clean = |c: char| {
                if c.is_ascii_graphic() && c != '"' {
                    c
                } else {
                    '?'
                }
            };
            Err(CommandError::UnknownVerb(
                word.chars().take(32).map(clean).collect(),
            ))
        }
    }
}

/// Reads the arguments of `verb`.
///
/// # Errors
/// Every variant of [`CommandError`] but the unknown verb.
pub fn parse(verb: Verb, arguments: &str) -> Result<Command, CommandError> {
    match verb {
        Verb::Helo => hello(false, arguments),
        Verb::Ehlo => hello(true, arguments),
        Verb::Mail => parameters::mail(arguments).map(Command::Mail),
        Verb::Rcpt => parameters::rcpt(arguments).map(Command::Rcpt),
        Verb::Bdat => parameters::chunk(arguments).map(Command::Bdat),
        Verb::Data => alone("DATA", arguments, Command::Data),
        Verb::Rset => alone("RSET", arguments, Command::Rset),
        Verb::Quit => alone("QUIT", arguments, Command::Quit),
        Verb::StartTls => alone("STARTTLS", arguments, Command::StartTls),
        Verb::Noop => Ok(Command::Noop),
        Verb::Help => Ok(Command::Help),
        Verb::Send => Ok(Command::Send),
        Verb::Vrfy => text("VRFY", arguments).map(Command::Vrfy),
        Verb::Expn => text("EXPN", arguments).map(Command::Expn),
        Verb::Etrn => text("ETRN", arguments).map(Command::Etrn),
        Verb::Private(verb) if arguments.is_empty() => Ok(Command::Private(verb, String::new())),
        Verb::Private(verb) => {
            text(verb.word(), arguments).map(|argument| Command::Private(verb, argument))
        }
        Verb::Auth => auth(arguments),
    }
}

fn syntax(what: &str) -> CommandError {
    CommandError::Syntax(what.to_owned())
}

fn alone(verb: &str, arguments: &str, command: Command) -> Result<Command, CommandError> {
    if arguments.is_empty() {
        Ok(command)
    } else {
        Err(syntax(&format!("{verb} command: it has no parameters")))
    }
}

/// An argument that is handed on as text: present, without control characters, `*` for 8-bit.
fn text(verb: &str, arguments: &str) -> Result<String, CommandError> {
    if arguments.is_empty() || arguments.chars().any(|c| c.is_ascii_control()) {
        return Err(syntax(&format!("{verb} command")));
    }
    Ok(path::starred(arguments))
}

fn hello(extended: bool, arguments: &str) -> Result<Command, CommandError> {
    let verb = if extended { "EHLO" } else { "HELO" };
    let name = arguments.split([' ', '\t']).next().unwrap_or_default();
    let name = text(verb, name)?;
    if name.len() > MAX_HELLO {
        return Err(syntax(&format!(
            "{verb} command: domain is longer than {MAX_HELLO} octets"
        )));
    }
    if arguments.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err(syntax(&format!("{verb} command")));
    }
    Ok(Command::Hello(Hello { extended, name }))
}

/// Longest domain of HELO and EHLO (RFC 5321 §4.5.3.1.2).
const MAX_HELLO: usize = 255;

fn auth(arguments: &str) -> Result<Command, CommandError> {
    let mut words = arguments.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or_else(|| syntax("AUTH command"))?;
    let initial = words.next().map(str::to_owned);
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if words.next().is_some() || mechanism.len() > 20 || !mechanism.chars().all(legal) {
        return Err(syntax("AUTH command"));
    }
    Ok(Command::Auth {
        mechanism: mechanism.to_ascii_uppercase(),
        initial,
    })
}
