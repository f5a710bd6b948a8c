//! The embedded directory: domains, and accounts with a password that is shown once.

use super::plan::{Plan, PlannedAccount};
use super::scram;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use std::fmt::Write as _;

/// Characters of a password: none that is easily taken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a password, five bits each.
const LENGTH: usize = 20;
/// Rounds of SCRAM-SHA-256; RFC 7677 asks for at least 4096.
const ITERATIONS: u32 = 10_000;
/// The directory's suffix.
const SUFFIX: &str = "o=isp";

/// Why an account could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The system gives no random numbers.
    #[error("cannot make a password: {0}")]
    Random(getrandom::Error),
    /// The password could not be hashed.
    #[error("cannot hash a password: {0}")]
    Hash(argon2::password_hash::Error),
}

/// An account and its password.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) address: String,
    pub(super) password: String,
    local: String,
    domain: String,
    stored: [String; 2],
}

/// Makes the accounts of a plan.
pub(super) fn make(plan: &Plan) -> Result<Vec<Account>, AccountError> {
    plan.accounts.iter().map(account).collect()
}

fn account(planned: &PlannedAccount) -> Result<Account, AccountError> {
    let mut random = [0_u8; LENGTH];
    let mut salts = [[0_u8; 16]; 2];
    getrandom::fill(&mut random).map_err(AccountError::Random)?;
    for salt in &mut salts {
        getrandom::fill(salt).map_err(AccountError::Random)?;
    }
    // The alphabet has 32 characters, so that each is as likely as the others.
    let password: String = random
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    let hash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salts[0])
        .map_err(AccountError::Hash)?;
    Ok(Account {
        address: planned.address(),
        local: planned.local.clone(),
        domain: planned.domain.clone(),
        stored: [
            format!("{{ARGON2}}{hash}"),
            scram::stored(&password, &salts[1], ITERATIONS),
        ],
        password,
    })
}

/// The directory as LDIF: the domains, then the accounts.
pub(super) fn ldif(plan: &Plan, accounts: &[Account]) -> String {
    let mut text = String::from("# Domains, users and groups of this server.\nversion: 1\n");
    for domain in &plan.domains {
        let lines = [
            format!("dn: o={domain},{SUFFIX}"),
            "objectClass: top".to_owned(),
            "objectClass: organization".to_owned(),
            "objectClass: mailDomain".to_owned(),
            "objectClass: sunManagedOrganization".to_owned(),
            format!("o: {domain}"),
            format!("sunPreferredDomain: {domain}"),
            "inetDomainStatus: active".to_owned(),
            "mailDomainStatus: active".to_owned(),
        ];
        record(&mut text, &lines);
    }
    for account in accounts {
        let Account { local, domain, .. } = account;
        let mut lines = vec![format!("dn: uid={local},ou=People,o={domain},{SUFFIX}")];
        let classes = [
            "top",
            "person",
            "organizationalPerson",
            "inetOrgPerson",
            "inetUser",
            "inetMailUser",
            "inetLocalMailRecipient",
        ];
        lines.extend(classes.iter().map(|class| format!("objectClass: {class}")));
        lines.extend([
            format!("uid: {local}"),
            format!("cn: {local}"),
            format!("sn: {local}"),
            format!("mail: {}", account.address),
            format!("mailHost: {}", plan.host),
            "mailDeliveryOption: mailbox".to_owned(),
            "inetUserStatus: active".to_owned(),
            "mailUserStatus: active".to_owned(),
            "mailQuota: -1".to_owned(),
        ]);
        lines.extend(
            account
                .stored
                .iter()
                .map(|stored| format!("userPassword: {stored}")),
        );
        record(&mut text, &lines);
    }
    text
}

fn record(text: &mut String, lines: &[String]) {
    text.push('\n');
    for line in lines {
        writeln!(text, "{line}").expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_stored_so_that_they_can_be_checked() {
        let planned = PlannedAccount {
            local: "ada".into(),
            domain: "example.com".into(),
        };
        let made = account(&planned).unwrap();
        assert_eq!(made.password.len(), LENGTH);
        assert!(
            made.stored[0].starts_with("{ARGON2}$argon2id$v=19$"),
            "{}",
            made.stored[0]
        );
        assert!(made.stored[1].starts_with("{SCRAM-SHA-256}10000:"));
        assert_ne!(account(&planned).unwrap().password, made.password);
    }
}
