//! Extracting the first host of an address.
//!
//! A quoted string is opaque, and so is a `[literal]`: no separator is looked for in either.

use crate::Place;

/// The first host of an address, and what surrounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extracted<'a> {
    /// The host specification.
    pub(crate) host: &'a str,
    /// Where it stood.
    pub(crate) place: Place,
    /// The user part (`$U`).
    pub(crate) user: &'a str,
    /// The address without the host.
    pub(crate) rest: &'a str,
}

impl Extracted<'_> {
    /// Whether the address names another host when this one is deleted.
    pub(crate) fn has_further_host(&self, bang_over_percent: bool) -> bool {
        extract(self.rest, bang_over_percent).is_some()
    }

    /// The address with other material in place of the extracted host. `route` is a host to be
    /// inserted as source route.
    pub(crate) fn replaced(&self, user: &str, domain: &str, route: Option<&str>) -> String {
        match (self.place, route) {
            (Place::Route, None) => ["@", domain, self.separator(), self.rest].concat(),
            (Place::Route, Some(route)) => {
                ["@", route, ",@", domain, self.separator(), self.rest].concat()
            }
            (_, None) => [user, "@", domain].concat(),
            (_, Some(route)) => ["@", route, ":", user, "@", domain].concat(),
        }
    }

    /// What separates the first host of a source route from the rest.
    fn separator(&self) -> &'static str {
        if self.rest.starts_with('@') { "," } else { ":" }
    }
}

/// The first host of `address`; nothing if it has none.
pub(crate) fn extract(address: &str, bang_over_percent: bool) -> Option<Extracted<'_>> {
    if let Some(extracted) = from_route(address) {
        return Some(extracted);
    }
    let marks = Marks::scan(address);
    let split = |place, host, user| Extracted {
        host,
        place,
        user,
        rest: user,
    };
    if let Some(at) = marks.at {
        return Some(split(Place::At, &address[at + 1..], &address[..at]));
    }
    let percent = marks
        .percent
        .map(|at| split(Place::Percent, &address[at + 1..], &address[..at]));
    let bang = marks
        .bang
        .map(|at| split(Place::Bang, &address[..at], &address[at + 1..]));
    if bang_over_percent {
        bang.or(percent)
    } else {
        percent.or(bang)
    }
}

fn from_route(address: &str) -> Option<Extracted<'_>> {
    let route = address.strip_prefix('@')?;
    let colon = find_plain(route, b':')?;
    let host_end = find_plain(&route[..colon], b',').unwrap_or(colon);
    let last = &route[colon + 1..];
    let user = Marks::scan(last).at.map_or(last, |at| &last[..at]);
    Some(Extracted {
        host: &route[..host_end],
        place: Place::Route,
        user,
        rest: &route[host_end + 1..],
    })
}

/// Where the separators of an address stand.
#[derive(Debug, Default)]
struct Marks {
    at: Option<usize>,
    percent: Option<usize>,
    bang: Option<usize>,
}

impl Marks {
    fn scan(text: &str) -> Self {
        let mut marks = Self::default();
        // Nearly every address.
        let special = |byte| matches!(byte, b'"' | b'[' | b'\\' | b'%' | b'!');
        if !text.bytes().any(special) {
            marks.at = text.rfind('@');
            return marks;
        }
        let bytes = text.as_bytes();
        let mut plain = Plain::new(text);
        while let Some((place, byte)) = plain.next() {
            match byte {
                b'@' => marks.at = Some(place),
                b'%' if bytes.get(place + 1) == Some(&b'%') => {
                    plain.next();
                }
                b'%' if place + 1 < bytes.len() => marks.percent = Some(place),
                b'!' if place > 0 && marks.bang.is_none() => marks.bang = Some(place),
                _ => {}
            }
        }
        marks
    }
}

/// The bytes of a text that stand in no quoted string and in no literal.
struct Plain<'a> {
    bytes: &'a [u8],
    at: usize,
    quoted: bool,
    literal: bool,
}

impl<'a> Plain<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: 0,
            quoted: false,
            literal: false,
        }
    }
}

impl Iterator for Plain<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let place = self.at;
            let byte = *self.bytes.get(place)?;
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' if !self.literal => self.quoted = !self.quoted,
                b'[' if !self.quoted => self.literal = true,
                b']' if !self.quoted => self.literal = false,
                _ if self.quoted || self.literal => {}
                _ => return Some((place, byte)),
            }
        }
    }
}

fn find_plain(text: &str, wanted: u8) -> Option<usize> {
    Plain::new(text)
        .find(|(_, byte)| *byte == wanted)
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_host_as_documented() {
        let table = [
            ("user@a", "a"),
            ("user@a.b.c", "a.b.c"),
            ("user@[0.1.2.3]", "[0.1.2.3]"),
            ("@a:user@b.c.d", "a"),
            ("@a.b.c:user@d.e.f", "a.b.c"),
            ("@[0.1.2.3]:user@d.e.f", "[0.1.2.3]"),
            ("@a,@b,@c:user@d.e.f", "a"),
            ("@a,@[0.1.2.3]:user@b", "a"),
            ("user%A@B", "B"),
            ("user%A", "A"),
            ("user%A%B", "B"),
            ("user%%A%B", "B"),
            ("A!user", "A"),
            ("A!user@B", "B"),
            ("A!user%B@C", "C"),
            ("A!user%B", "B"),
            // and by hand
            ("a%%%B", "B"),
            ("\"a%b!c@d\"%e", "e"),
            ("\"a\\\"%b\"@c", "c"),
            ("user@[IPv6:::1]", "[IPv6:::1]"),
            ("@[IPv6:2001:db8::1],@b:user@c", "[IPv6:2001:db8::1]"),
            ("u@d@ims-ms-daemon", "ims-ms-daemon"),
            ("user%[1.2.3.4]", "[1.2.3.4]"),
        ];
        for (address, host) in table {
            assert_eq!(extract(address, false).unwrap().host, host, "{address}");
        }
        assert_eq!(extract("A!user%B", true).unwrap().host, "A");
        for address in ["user", "user%%A", "\"a@b\"", "user%", "!user", ""] {
            assert_eq!(extract(address, false), None, "{address}");
        }
    }

    #[test]
    fn users_and_rests() {
        let table = [
            ("user%A@B", "user%A", "user%A"),
            ("user%A%B", "user%A", "user%A"),
            ("A!user", "user", "user"),
            ("A!user%B", "A!user", "A!user"),
            ("@a:user@b", "user", "user@b"),
            ("@a,@b:user%x@c", "user%x", "@b:user%x@c"),
            ("@a:user", "user", "user"),
        ];
        for (address, user, rest) in table {
            let extracted = extract(address, false).unwrap();
            assert_eq!((extracted.user, extracted.rest), (user, rest), "{address}");
        }
    }

    #[test]
    fn new_material_takes_the_place_of_the_host() {
        let table = [
            ("user@a", None, "U@D"),
            ("user%a", None, "U@D"),
            ("a!user", None, "U@D"),
            ("user@a", Some("R"), "@R:U@D"),
            ("@a:user@b", None, "@D:user@b"),
            ("@a,@b:user@c", None, "@D,@b:user@c"),
            ("@a:user@b", Some("R"), "@R,@D:user@b"),
        ];
        for (address, route, result) in table {
            let extracted = extract(address, false).unwrap();
            assert_eq!(extracted.replaced("U", "D", route), result, "{address}");
        }
    }
}
