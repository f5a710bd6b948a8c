//! Arguments of MAIL, RCPT and BDAT: paths and ESMTP parameters.

use mta_envelope::envelope::{Notify, Ret};

use super::{Body, Chunk, CommandError, Mail, Rcpt, path, syntax};
use crate::extension::xtext;

/// Longest ENVID, decoded (RFC 3461 §4.4).
const MAX_ENVID: usize = 100;
/// Longest ORCPT, as sent (RFC 3461 §4.2).
const MAX_ORCPT: usize = 500;
/// Digits of a SIZE or BDAT number (RFC 1870 §4).
const MAX_DIGITS: usize = 20;

/// `FROM:<path> [parameters]`.
pub(super) fn mail(arguments: &str) -> Result<Mail, CommandError> {
    const WHAT: &str = "MAIL FROM command";
    let ((sender, route), rest) = path::take(arguments, "FROM", WHAT)?;
    let mut mail = Mail {
        sender,
        route,
        ..Mail::default()
    };
    let mut seen = Vec::new();
    for parameter in words(rest) {
        let (keyword, value) = parameter_of(parameter, &mut seen, WHAT)?;
        match (keyword.as_str(), value) {
            ("SIZE", Some(value)) => mail.size = Some(size(value)?),
            ("BODY", Some(value)) => mail.body = Some(body(value)?),
            ("RET", Some(value)) => mail.ret = Some(ret(value)?),
            ("ENVID", Some(value)) => mail.envid = Some(envid(value)?),
            ("AUTH", Some(value)) => mail.auth = Some(auth(value)?),
            ("SOLICIT", Some(value)) => mail.solicit = Some(solicit(value)?),
            (keyword, _) => return Err(unknown(keyword)),
        }
    }
    Ok(mail)
}

/// `TO:<path> [parameters]`.
pub(super) fn rcpt(arguments: &str) -> Result<Rcpt, CommandError> {
    const WHAT: &str = "RCPT TO command";
    let ((address, route), rest) = path::take(arguments, "TO", WHAT)?;
    let mut rcpt = Rcpt {
        address: address.ok_or_else(|| syntax(WHAT))?,
        route,
        notify: None,
        original: None,
    };
    let mut seen = Vec::new();
    for parameter in words(rest) {
        let (keyword, value) = parameter_of(parameter, &mut seen, WHAT)?;
        match (keyword.as_str(), value) {
            ("NOTIFY", Some(value)) => rcpt.notify = Some(notify(value)?),
            ("ORCPT", Some(value)) => rcpt.original = Some(original(value)?),
            (keyword, _) => return Err(unknown(keyword)),
        }
    }
    Ok(rcpt)
}

/// `SIZE [LAST]`.
pub(super) fn chunk(arguments: &str) -> Result<Chunk, CommandError> {
    let error = || syntax("BDAT command");
    let mut words = words(arguments);
    let size = words.next().and_then(number).ok_or_else(error)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(error()),
    };
    if words.next().is_some() {
        return Err(error());
    }
    Ok(Chunk { size, last })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t']).filter(|word| !word.is_empty())
}

/// Splits `KEYWORD[=value]`, checks both (RFC 5321 §4.1.2), refuses a repeated keyword.
fn parameter_of<'a>(
    text: &'a str,
    seen: &mut Vec<String>,
    what: &str,
) -> Result<(String, Option<&'a str>), CommandError> {
    let (keyword, value) = match text.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (text, None),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let keyword_ok = !keyword.is_empty() && keyword.chars().all(legal);
    // `=` occurs in xtext of old clients (`ORCPT=rfc822;a=b@c`); everything visible is let in.
    let value_ok = value.is_none_or(|v| !v.is_empty() && v.chars().all(|c| c.is_ascii_graphic()));
    let keyword = keyword.to_ascii_uppercase();
    if !keyword_ok || !value_ok || seen.contains(&keyword) {
        return Err(syntax(what));
    }
    seen.push(keyword.clone());
    Ok((keyword, value))
}

fn unknown(keyword: &str) -> CommandError {
    CommandError::Parameter(keyword.chars().take(32).collect())
}

fn number(text: &str) -> Option<u64> {
    if text.len() > MAX_DIGITS || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn size(value: &str) -> Result<u64, CommandError> {
    number(value).ok_or_else(|| syntax("SIZE parameter"))
}

fn body(value: &str) -> Result<Body, CommandError> {
    if value.eq_ignore_ascii_case("7BIT") {
        Ok(Body::SevenBit)
    } else if value.eq_ignore_ascii_case("8BITMIME") {
        Ok(Body::EightBitMime)
    } else {
        Err(syntax("BODY parameter"))
    }
}

fn ret(value: &str) -> Result<Ret, CommandError> {
    if value.eq_ignore_ascii_case("FULL") {
        Ok(Ret::Full)
    } else if value.eq_ignore_ascii_case("HDRS") {
        Ok(Ret::Headers)
    } else {
        Err(syntax("RET parameter"))
    }
}

fn envid(value: &str) -> Result<String, CommandError> {
    xtext::decode(value)
        .filter(|id| !id.is_empty() && id.len() <= MAX_ENVID)
        .ok_or_else(|| syntax("ENVID parameter"))
}

fn auth(value: &str) -> Result<Option<String>, CommandError> {
    if value == "<>" {
        return Ok(None);
    }
    match xtext::decode(value) {
        Some(name) => Ok(Some(name)),
        None => Err(syntax("AUTH parameter")),
    }
}

fn solicit(value: &str) -> Result<String, CommandError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:,".contains(c);
    if value.chars().all(legal) {
        Ok(value.to_owned())
    } else {
        Err(syntax("SOLICIT parameter"))
    }
}

fn notify(value: &str) -> Result<Notify, CommandError> {
    let mut bits = 0;
    for word in value.split(',') {
        let bit = match word.to_ascii_uppercase().as_str() {
            "NEVER" => Notify::NEVER,
            "SUCCESS" => Notify::SUCCESS,
            "FAILURE" => Notify::FAILURE,
            "DELAY" => Notify::DELAY,
            _ => return Err(syntax("NOTIFY parameter")),
        };
        bits |= bit;
    }
    if bits & Notify::NEVER != 0 && bits != Notify::NEVER {
        return Err(syntax("NOTIFY parameter"));
    }
    Ok(Notify(bits | Notify::EXPLICIT))
}

fn original(value: &str) -> Result<(String, String), CommandError> {
    let error = || syntax("ORCPT parameter");
    let (kind, address) = value.split_once(';').ok_or_else(error)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if value.len() > MAX_ORCPT || kind.is_empty() || !kind.chars().all(legal) {
        return Err(error());
    }
    let address = xtext::decode(address).filter(|address| !address.is_empty());
    Ok((kind.to_owned(), address.ok_or_else(error)?))
}
