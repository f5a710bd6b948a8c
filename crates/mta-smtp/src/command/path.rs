//! Reverse and forward paths: `<>`, `<user@host>`, `<@a,@b:user@host>` (RFC 5321 §4.1.2).

use mta_envelope::address::Address;

use super::{CommandError, syntax};

/// Longest path that a client may give, in octets. RFC 5321 §4.5.3.1.3 asks for 256; signed and
/// encoded senders are longer. Two of them still fit into the probe of an access table.
const MAX_PATH: usize = 500;

/// A path: address and source route; no address is `<>`.
pub(super) type Path = (Option<Address>, Option<String>);

/// Replaces every octet above 127 by an asterisk.
pub(super) fn starred(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii() { c } else { '*' })
        .collect()
}

/// Takes `KEYWORD:<path>` off the front of `arguments` and returns the path with what follows.
///
/// Blanks between colon and bracket are forgiven (many clients send them); missing brackets are
/// not, since then nobody can say where an address ends and a parameter begins.
pub(super) fn take<'a>(
    arguments: &'a str,
    keyword: &str,
    what: &str,
) -> Result<(Path, &'a str), CommandError> {
    let colon = arguments.find(':').ok_or_else(|| syntax(what))?;
    if !arguments[..colon].trim_end().eq_ignore_ascii_case(keyword) {
        return Err(syntax(what));
    }
    let rest = arguments[colon + 1..].trim_start_matches([' ', '\t']);
    let inside = rest.strip_prefix('<').ok_or_else(|| syntax(what))?;
    let end = closing_bracket(inside).ok_or_else(|| syntax(what))?;
    let after = &inside[end + 1..];
    if !after.is_empty() && !after.starts_with([' ', '\t']) {
        return Err(syntax(what));
    }
    Ok((path(&inside[..end], what)?, after))
}

/// The first `>` outside quotes.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn path(text: &str, what: &str) -> Result<Path, CommandError> {
    if text.is_empty() {
        return Ok((None, None));
    }
    if text.len() > MAX_PATH {
        let text = format!("{what}: path is longer than {MAX_PATH} octets");
        return Err(syntax(&text));
    }
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err(syntax(what));
    }
    let (route, mailbox) = split_route(text, what)?;
    let (local, domain) = split_mailbox(mailbox);
    if !is_local_part(local) {
        return Err(syntax(what));
    }
    let domain = match domain {
        None => String::new(),
        Some(domain) if !domain.is_ascii() => return Err(CommandError::NonAscii),
        Some(domain) if is_domain(domain) => format!("@{domain}"),
        Some(_) => return Err(syntax(what)),
    };
    let address = Address::parse(&format!("{}{domain}", starred(local)));
    let address = address.map_err(|_| syntax(what))?;
    Ok((Some(address), route))
}

fn split_route<'a>(text: &'a str, what: &str) -> Result<(Option<String>, &'a str), CommandError> {
    if !text.starts_with('@') {
        return Ok((None, text));
    }
    let colon = text.find(':').ok_or_else(|| syntax(what))?;
    let hops = &text[..colon];
    let legal = |hop: &str| hop.strip_prefix('@').is_some_and(is_domain);
    if !hops.split(',').all(legal) {
        return Err(syntax(what));
    }
    Ok((Some(hops.to_owned()), &text[colon + 1..]))
}

/// Splits at the last `@` outside quotes.
fn split_mailbox(text: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut escaped, mut at) = (false, false, None);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '@' if !quoted => at = Some(index),
            _ => {}
        }
    }
    at.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])))
}

/// Words of atom characters or quoted strings, separated by dots. Empty words (`a..b`, `a.`)
/// are let through: real mailboxes are called so.
fn is_local_part(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        rest = if let Some(quoted) = rest.strip_prefix('"') {
            let Some(end) = quoted_end(quoted) else {
                return false;
            };
            match quoted[end + 1..].strip_prefix('.') {
                Some(next) => next,
                None => return quoted[end + 1..].is_empty(),
            }
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            if !rest[..end].chars().all(is_atom) {
                return false;
            }
            rest.get(end + 1..).unwrap_or_default()
        };
    }
    !text.is_empty()
}

fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// A host name, or a literal of printable characters (RFC 5321 §4.1.3).
fn is_domain(text: &str) -> bool {
    if let Some(inside) = mta_envelope::domain::literal(text) {
        let legal = |c: char| c.is_ascii_graphic() && !"[]\\".contains(c);
        return !inside.is_empty() && inside.chars().all(legal);
    }
    mta_envelope::domain::is_host_name(text)
}
