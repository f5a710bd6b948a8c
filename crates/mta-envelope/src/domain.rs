//! Domain names and literals: folding and comparing.

/// `name` in lower case; literals and international labels are left as they are.
#[must_use]
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether two names are the same without regard to case and to a final dot.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    let strip = |name: &str| name.strip_suffix('.').map_or(name.len(), str::len);
    a[..strip(a)].eq_ignore_ascii_case(&b[..strip(b)])
}

/// The text inside the brackets of a domain literal (`[1.2.3.4]`, `[IPv6:…]`).
#[must_use]
pub fn literal(name: &str) -> Option<&str> {
    name.strip_prefix('[')?.strip_suffix(']')
}

/// The address of a literal; IPv6 needs its tag (RFC 5321 §4.1.3).
#[must_use]
pub fn literal_address(name: &str) -> Option<std::net::IpAddr> {
    let inside = literal(name)?;
    if let Some(rest) = inside
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"))
        .map(|_| &inside[5..])
    {
        return rest.parse::<std::net::Ipv6Addr>().ok().map(Into::into);
    }
    inside.parse::<std::net::Ipv4Addr>().ok().map(Into::into)
}

/// An address as a literal: `[1.2.3.4]` or `[IPv6:…]`; mapped IPv4 is folded first.
#[must_use]
pub fn to_literal(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => format!("[{v4}]"),
        std::net::IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// Whether `name` has the form of a host name: labels of letters, digits, `-`, `_` (or octets
/// above 127), none empty or over 63 octets, 255 octets in all.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.is_empty()
        && name.len() <= 255
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b > 127)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_final_dot() {
        assert!(same("Example.COM.", "example.com"));
        assert!(!same("example.com", "example.org"));
    }

    #[test]
    fn literals_give_addresses() {
        assert_eq!(literal_address("[127.0.0.1]"), Some([127, 0, 0, 1].into()));
        assert_eq!(
            literal_address("[IPv6:::1]").map(|a| a.is_ipv6()),
            Some(true)
        );
        assert_eq!(literal_address("[::1]"), None);
        assert_eq!(to_literal("::ffff:1.2.3.4".parse().unwrap()), "[1.2.3.4]");
    }
}
