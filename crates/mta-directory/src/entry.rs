//! Entries as the MTA sees them: users, groups and domains, with their statuses.

use crate::ldif::Record;
use mta_envelope::domain::fold;

/// What an entry stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody with a mailbox (`inetMailUser`).
    User,
    /// A list (`inetMailGroup`).
    Group,
    /// A mail domain (`mailDomain`).
    Domain,
    /// Anything else; kept because groups may name it as a member.
    Other,
}

/// A word of one of the status attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryStatus {
    /// Everything works. Also what a missing attribute means.
    Active,
    /// Mail is refused for now. Also what an unknown word means.
    Inactive,
    /// Mail is refused for good.
    Disabled,
    /// Gone; mail is refused for good.
    Deleted,
    /// Mailbox gone too.
    Removed,
    /// Mail is set aside on the `hold` channel.
    Hold,
    /// The mailbox is full; mail is refused for now.
    OverQuota,
}

impl EntryStatus {
    /// The status a word stands for. `mail` tells whether it is a mail attribute: the words
    /// `hold`, `disabled` and `removed` count in those only, `overquota` in those of users and
    /// domains.
    #[must_use]
    fn read(word: &str, mail: bool) -> Self {
        match (word.trim().to_ascii_lowercase().as_str(), mail) {
            ("active" | "", _) => Self::Active,
            ("deleted", _) => Self::Deleted,
            ("disabled", true) => Self::Disabled,
            ("removed", true) => Self::Removed,
            ("hold", true) => Self::Hold,
            ("overquota", true) => Self::OverQuota,
            _ => Self::Inactive,
        }
    }

    /// Whether somebody with this status may log in.
    #[must_use]
    pub const fn may_log_in(self) -> bool {
        matches!(self, Self::Active | Self::OverQuota)
    }
}

/// One entry of the directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// User, group or domain.
    pub kind: Kind,
    /// The distinguished name as written.
    pub dn: String,
    /// The line of the file it begins at.
    pub line: usize,
    attributes: Vec<(String, String)>,
}

impl Entry {
    /// Takes a record over.
    #[must_use]
    pub(crate) fn new(record: Record) -> Self {
        let mut entry = Self {
            kind: Kind::Other,
            dn: record.dn,
            line: record.line,
            attributes: record
                .attributes
                .into_iter()
                .map(|attribute| (attribute.name, attribute.value))
                .collect(),
        };
        entry.kind = entry.kind_by_class();
        entry
    }

    fn kind_by_class(&self) -> Kind {
        let has = |classes: &[&str]| {
            self.values("objectclass").any(|class| {
                classes
                    .iter()
                    .any(|known| class.eq_ignore_ascii_case(known))
            })
        };
        if has(&["inetMailGroup", "mailGroup"]) {
            Kind::Group
        } else if has(&["inetMailUser", "nsMessagingServerUser"]) {
            Kind::User
        } else if has(&["mailDomain", "inetDomain", "sunManagedOrganization"]) {
            Kind::Domain
        } else {
            Kind::Other
        }
    }

    /// Every attribute with its value, in the order of the file; names in lower case.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of an attribute; its name is given in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.attributes
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of an attribute; its name is given in lower case.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The primary address (`mail`).
    #[must_use]
    pub fn mail(&self) -> Option<&str> {
        self.first("mail")
    }

    /// All addresses by which it is found: primary, alternate, equivalent.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        ["mail", "mailalternateaddress", "mailequivalentaddress"]
            .into_iter()
            .flat_map(|name| self.values(name))
    }

    /// The user id: `uid`, else the local part of the primary address.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.first("uid").or_else(|| {
            self.mail()
                .and_then(|mail| mail.rsplit_once('@'))
                .map(|(local, _)| local)
        })
    }

    /// The domain of the primary address, in lower case.
    #[must_use]
    pub fn domain(&self) -> Option<String> {
        let (_, domain) = self.mail()?.rsplit_once('@')?;
        Some(fold(domain))
    }

    /// The entry's own two statuses, general and mail, in the order in which they count.
    #[must_use]
    pub fn statuses(&self) -> [EntryStatus; 2] {
        let (general, mail) = match self.kind {
            Kind::Domain => ("inetdomainstatus", "maildomainstatus"),
            // The general status of groups is read only where it is configured.
            Kind::Group => ("", "inetmailgroupstatus"),
            Kind::User | Kind::Other => ("inetuserstatus", "mailuserstatus"),
        };
        let read = |name: &str, mail: bool| {
            self.first(name)
                .map_or(EntryStatus::Active, |word| EntryStatus::read(word, mail))
        };
        let mail_status = match read(mail, true) {
            EntryStatus::OverQuota if self.kind == Kind::Group => EntryStatus::Inactive,
            status => status,
        };
        [read(general, false), mail_status]
    }

    /// The names of a domain entry, in lower case: `sunPreferredDomain`, `associatedDomain`,
    /// else what the distinguished name says (`dc=example,dc=com,…` or `o=example.com,…`).
    pub(crate) fn domain_names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["sunpreferreddomain", "associateddomain"]
            .into_iter()
            .flat_map(|name| self.values(name))
            .map(fold)
            .collect();
        if names.is_empty() {
            names.extend(domain_of_dn(&self.dn));
        }
        names
    }
}

fn domain_of_dn(dn: &str) -> Option<String> {
    let pairs: Vec<(String, &str)> = dn
        .split(',')
        .map_while(|part| part.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let (first, value) = pairs.first()?;
    if first != "dc" {
        return Some(fold(value));
    }
    let labels: Vec<&str> = pairs
        .iter()
        .take_while(|(name, _)| name == "dc")
        .map(|(_, value)| *value)
        .collect();
    Some(fold(&labels.join(".")))
}

/// A distinguished name in a form that compares: lower case, no blanks around `,` and `=`.
pub(crate) fn fold_dn(dn: &str) -> String {
    dn.split(',')
        .map(|part| match part.split_once('=') {
            Some((name, value)) => format!("{}={}", name.trim(), value.trim()),
            None => part.trim().to_owned(),
        })
        .collect::<Vec<_>>()
        .join(",")
        .to_lowercase()
}

/// An address in the form by which it is looked up: all of it in lower case.
pub(crate) fn fold_address(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The first status of domain and entry that is not `active`, and whose it is.
#[must_use]
pub fn status_in_force(domain: Option<&Entry>, entry: &Entry) -> (EntryStatus, Kind) {
    let domain = domain.into_iter().flat_map(|domain| {
        domain
            .statuses()
            .into_iter()
            .map(|status| (status, Kind::Domain))
    });
    domain
        .chain(
            entry
                .statuses()
                .into_iter()
                .map(|status| (status, entry.kind)),
        )
        .find(|(status, _)| *status != EntryStatus::Active)
        .unwrap_or((EntryStatus::Active, entry.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldif;

    fn entry(text: &str) -> Entry {
        Entry::new(ldif::parse(text.as_bytes()).unwrap().remove(0))
    }

    #[test]
    fn names_of_domains() {
        for (dn, name) in [
            ("dc=Example,dc=com,o=internet", "example.com"),
            ("o=example.org,o=isp", "example.org"),
        ] {
            let text = format!("dn: {dn}\nobjectClass: mailDomain\n");
            assert_eq!(entry(&text).domain_names(), [name]);
        }
        let text = "dn: o=x\nobjectClass: mailDomain\nsunPreferredDomain: A.example\n\
                    associatedDomain: b.example\n";
        assert_eq!(entry(text).domain_names(), ["a.example", "b.example"]);
    }

    #[test]
    fn the_first_status_that_is_not_active_counts() {
        let user = |lines: &str| entry(&format!("dn: uid=a\nobjectClass: inetMailUser\n{lines}"));
        let domain = |lines: &str| entry(&format!("dn: o=a\nobjectClass: mailDomain\n{lines}"));
        let table = [
            ("", "", EntryStatus::Active),
            ("", "mailUserStatus: hold\n", EntryStatus::Hold),
            ("", "inetUserStatus: hold\n", EntryStatus::Inactive),
            (
                "",
                "inetUserStatus: deleted\nmailUserStatus: hold\n",
                EntryStatus::Deleted,
            ),
            (
                "mailDomainStatus: overquota\n",
                "mailUserStatus: deleted\n",
                EntryStatus::OverQuota,
            ),
            (
                "inetDomainStatus: inactive\nmailDomainStatus: hold\n",
                "",
                EntryStatus::Inactive,
            ),
            ("", "mailUserStatus: nonsense\n", EntryStatus::Inactive),
        ];
        for (of_domain, of_user, status) in table {
            let (found, _) = status_in_force(Some(&domain(of_domain)), &user(of_user));
            assert_eq!(found, status, "{of_domain}{of_user}");
        }
        let group = entry(
            "dn: cn=g\nobjectClass: inetMailGroup\ninetMailGroupStatus: overquota\n\
             inetUserStatus: deleted\n",
        );
        assert_eq!(status_in_force(None, &group).0, EntryStatus::Inactive);
    }
}
