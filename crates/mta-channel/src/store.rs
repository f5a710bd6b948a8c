//! What an address on the store's channel says: whose mailbox, which folder, which limits.
//!
//! The enqueue path writes `uid[%domain][+folder]@ims-ms-daemon` and the recipient's `o;`
//! record; the store's channel program reads both back with this module.

use mta_envelope::address::Address;
use std::fmt::Write as _;

/// Whose mailbox an address of the store's channel names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The user id.
    pub uid: String,
    /// The hosted domain; nothing stands for the default domain.
    pub domain: Option<String>,
    /// The folder that the subaddress asks for.
    pub folder: Option<String>,
}

impl Mailbox {
    /// Reads `uid[%domain][+folder]`, with or without the channel's host behind it. The form
    /// `uid@domain` is understood, too.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        let (front, folder) = match address.local().split_once('+') {
            Some((front, folder)) => (front, Some(folder)),
            None => (address.local(), None),
        };
        let (uid, domain) = match front.rsplit_once(['%', '@']) {
            Some((uid, domain)) => (uid, Some(domain)),
            None => (front, None),
        };
        // A folder may also stand in front of the domain: `uid+folder@domain`.
        let (folder, domain) = match folder.map(|folder| folder.rsplit_once(['%', '@'])) {
            Some(Some((folder, behind))) if domain.is_none() => (Some(folder), Some(behind)),
            _ => (folder, domain),
        };
        Self {
            uid: uid.to_owned(),
            domain: domain.filter(|d| !d.is_empty()).map(str::to_lowercase),
            folder: folder.filter(|f| !f.is_empty()).map(str::to_owned),
        }
    }
}

/// The options of a recipient's `o;` record: `folder=NAME quota=BYTES msgquota=COUNT flags=N`.
/// Values are percent-encoded where they hold blanks, `%` or controls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// The folder to deliver to.
    pub folder: Option<String>,
    /// `mailQuota`: bytes; -1 is unlimited, -2 the system's default.
    pub quota: Option<i64>,
    /// `mailMsgQuota`: messages, likewise.
    pub message_quota: Option<i64>,
    /// `deliveryflags`: bit 2 (value 2) delivers over quota.
    pub flags: u32,
}

impl StoreOptions {
    /// Reads a record's text; what is not known is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut options = Self::default();
        for (name, value) in text.split(' ').filter_map(|word| word.split_once('=')) {
            match name {
                "folder" => options.folder = decode(value),
                "quota" => options.quota = value.parse().ok(),
                "msgquota" => options.message_quota = value.parse().ok(),
                "flags" => options.flags = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        options
    }

    /// The record's text; nothing if there is nothing to say.
    #[must_use]
    pub fn to_record(&self) -> Option<String> {
        let mut text = String::new();
        if let Some(folder) = &self.folder {
            text.push_str(" folder=");
            encode(&mut text, folder);
        }
        // Writing to a String cannot fail.
        if let Some(quota) = self.quota {
            write!(text, " quota={quota}").unwrap_or_default();
        }
        if let Some(quota) = self.message_quota {
            write!(text, " msgquota={quota}").unwrap_or_default();
        }
        if self.flags != 0 {
            write!(text, " flags={}", self.flags).unwrap_or_default();
        }
        (!text.is_empty()).then(|| text.split_off(1))
    }
}

fn encode(text: &mut String, value: &str) {
    for c in value.chars() {
        if c == '%' || c == ' ' || c.is_control() {
            let mut octets = [0; 4];
            for octet in c.encode_utf8(&mut octets).bytes() {
                write!(text, "%{octet:02X}").unwrap_or_default();
            }
        } else {
            text.push(c);
        }
    }
}

fn decode(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            octets.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets)
        .ok()
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mailboxes_of_every_form() {
        let table = [
            ("ada@ims-ms-daemon", "ada", None, None),
            ("ada+Work@ims-ms-daemon", "ada", None, Some("Work")),
            (
                "ada%Example.org@ims-ms-daemon",
                "ada",
                Some("example.org"),
                None,
            ),
            (
                "ada%example.org+a+b@ims-ms-daemon",
                "ada",
                Some("example.org"),
                Some("a+b"),
            ),
            (
                "ada@example.org@ims-ms-daemon",
                "ada",
                Some("example.org"),
                None,
            ),
            (
                "ada+Work@example.org@ims-ms-daemon",
                "ada",
                Some("example.org"),
                Some("Work"),
            ),
            ("ada+@ims-ms-daemon", "ada", None, None),
        ];
        for (address, uid, domain, folder) in table {
            let mailbox = Mailbox::of(&Address::parse(address).unwrap());
            assert_eq!(mailbox.uid, uid, "{address}");
            assert_eq!(mailbox.domain.as_deref(), domain, "{address}");
            assert_eq!(mailbox.folder.as_deref(), folder, "{address}");
        }
    }

    #[test]
    fn options_print_and_parse() {
        let options = StoreOptions {
            folder: Some("Grün 100%\nx".into()),
            quota: Some(-1),
            message_quota: Some(10),
            flags: 2,
        };
        let record = options.to_record().unwrap();
        assert!(!record.contains('\n'), "{record}");
        assert_eq!(StoreOptions::parse(&record), options);
        assert_eq!(StoreOptions::default().to_record(), None);
        assert_eq!(
            StoreOptions::parse("new=1 folder=%ZZ quota=x"),
            StoreOptions::default()
        );
    }

    proptest! {
        #[test]
        fn every_folder_survives_its_record(folder in ".{1,40}", quota in any::<i64>()) {
            let options = StoreOptions {
                folder: Some(folder),
                quota: Some(quota),
                ..StoreOptions::default()
            };
            let record = options.to_record().unwrap();
            prop_assert!(!record.chars().any(char::is_control));
            prop_assert_eq!(StoreOptions::parse(&record), options);
        }
    }
}
