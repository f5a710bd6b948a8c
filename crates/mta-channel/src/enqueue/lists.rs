//! Who may post to a list of the directory.
//!
//! The attributes are looked at in the product's order. Requirements that cannot be checked yet
//! (passwords, moderators, searches in an LDAP server) refuse the message rather than let it
//! through.

use super::fault::{Fault, SizeLimit};
use super::refusal::Refusal;
use mta_config::{Config, MtaOption};
use mta_directory::entry::Entry;
use mta_envelope::address::Address;
use mta_envelope::status::Status;

/// Somebody who wants to post.
#[derive(Debug, Clone, Copy)]
pub(super) struct Poster<'a> {
    /// Envelope From.
    pub sender: Option<&'a Address>,
    /// The authenticated address, if there is one.
    pub authenticated: Option<&'a str>,
    /// What is known of the message's size, in octets.
    pub size: Option<u64>,
}

/// Checks whether the message may go to the list.
///
/// # Errors
/// The refusal, with the list's own text if it has one.
pub(super) fn may_post(
    config: &Config,
    list: &Entry,
    poster: &Poster<'_>,
    address: &str,
) -> Result<(), Refusal> {
    let refuse = || refuse(config, list, address);
    let policy = Policy::of(list, config);
    if policy.password {
        return Err(refuse());
    }
    if policy.auth && poster.authenticated.is_none() {
        return Err(refuse());
    }
    let sender = match poster.authenticated {
        Some(user) if policy.auth => user.to_lowercase(),
        Some(_) | None => poster
            .sender
            .map_or_else(String::new, |s| s.as_str().to_lowercase()),
    };
    if !policy.allows(list, &sender) {
        return Err(refuse());
    }
    if list.first("mgrpmoderator").is_some() && !is_among(list, "mgrpmoderator", &sender) {
        return Err(refuse());
    }
    let limit = list
        .first("mgrpmsgmaxsize")
        .and_then(|text| text.trim().parse::<u64>().ok());
    match (limit, poster.size) {
        (Some(limit), Some(size)) if size > limit => {
            Err(SizeLimit::User.refuse(config, limit.div_ceil(1024), address))
        }
        _ => Ok(()),
    }
}

fn refuse(config: &Config, list: &Entry, address: &str) -> Refusal {
    let own = list
        .first("mgrpmsgrejecttext")
        .or_else(|| list.first("mailrejecttext"))
        .and_then(|text| text.lines().next())
        .filter(|text| !text.is_empty() && text.is_ascii());
    match own {
        Some(text) => Refusal::permanent(Status::new(5, 7, 1), text, address),
        None => Fault::AliasAccess.refuse(config, address),
    }
}

/// `mgrpBroadcasterPolicy`.
struct Policy {
    auth: bool,
    password: bool,
    or: bool,
}

impl Policy {
    fn of(list: &Entry, config: &Config) -> Self {
        let mut policy = Self {
            auth: false,
            password: list.first("mgrpauthpassword").is_some(),
            or: config.mta.flag(MtaOption::OrClauses),
        };
        for word in list
            .values("mgrpbroadcasterpolicy")
            .flat_map(|value| value.split(','))
        {
            match word.trim().to_ascii_uppercase().as_str() {
                "SMTP_AUTH_REQUIRED" | "AUTH_REQ" => policy.auth = true,
                "PASSWORD_REQUIRED" | "PASSWD_REQUIRED" | "PASSWD_REQ" => policy.password = true,
                "OR" => policy.or = true,
                "AND" => policy.or = false,
                _ => {}
            }
        }
        policy
    }

    /// The allowed and disallowed domains and broadcasters.
    fn allows(&self, list: &Entry, sender: &str) -> bool {
        let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        let in_domains = |name: &str| {
            list.values(name)
                .any(|pattern| glob(&pattern.trim().to_lowercase(), domain))
        };
        let has = |name: &str| list.first(name).is_some();
        if in_domains("mgrpdisalloweddomain") || is_among(list, "mgrpdisallowedbroadcaster", sender)
        {
            return false;
        }
        let by_domain = has("mgrpalloweddomain").then(|| in_domains("mgrpalloweddomain"));
        let by_name =
            has("mgrpallowedbroadcaster").then(|| is_among(list, "mgrpallowedbroadcaster", sender));
        match (by_domain, by_name) {
            (None, None) => true,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(domain), Some(name)) if self.or => domain || name,
            // Somebody who is named need not come from an allowed domain.
            (Some(_), Some(true)) => true,
            (Some(_), Some(false)) => false,
        }
    }
}

/// Whether one of the attribute's `mailto:` URLs (or bare addresses) is the sender; the list's
/// own address stands for its members.
fn is_among(list: &Entry, name: &str, sender: &str) -> bool {
    !sender.is_empty()
        && list.values(name).any(|url| {
            let address = url
                .get(..7)
                .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
                .map_or(url, |_| &url[7..])
                .trim()
                .to_lowercase();
            let own = list
                .addresses()
                .any(|known| known.eq_ignore_ascii_case(&address));
            if own {
                list.values("mgrprfc822mailmember")
                    .any(|member| member.trim().eq_ignore_ascii_case(sender))
            } else {
                address == sender
            }
        })
}

/// `*` stands for any text; both sides are in lower case.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_any_text() {
        let table = [
            ("example.com", "example.com", true),
            ("example.com", "a.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*example*", "an.example.org", true),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxcxxb", false),
            ("*", "", true),
        ];
        for (pattern, text, fits) in table {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
