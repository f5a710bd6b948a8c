//! The directory as a whole: look-ups, reloading, log-ins.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const PEOPLE: &str = "\
dn: o=example.com,o=isp
objectClass: mailDomain
sunPreferredDomain: example.com

dn: o=example.org,o=isp
objectClass: mailDomain
mailRoutingHosts: elsewhere.example.org

dn: uid=ada,o=example.com,o=isp
objectClass: inetMailUser
uid: ada
mail: Ada@Example.com
mailAlternateAddress: lovelace@example.com
mailEquivalentAddress: countess@example.com

dn: uid=bob, o=example.com, o=isp
objectClass: inetMailUser
uid: bob
mail: bob@example.com
mailAlternateAddress: both@example.com
mailAlternateAddress: @example.net

dn: cn=list,o=example.com,o=isp
objectClass: inetMailGroup
mail: list@example.com
mailAlternateAddress: both@example.com
";

fn written(text: &str) -> (tempfile::TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.ldif");
    std::fs::write(&path, text).unwrap();
    let directory = Directory::open(&path, "example.com", |_| {});
    (dir, directory)
}

fn dn(directory: &Directory, address: &str) -> Option<String> {
    directory
        .find(address)
        .unwrap()
        .map(|entry| entry.dn.clone())
}

#[test]
fn people_are_found_by_each_of_their_addresses() {
    let (_dir, directory) = written(PEOPLE);
    for address in [
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "lovelace@example.com",
        "countess@example.com",
    ] {
        assert_eq!(
            dn(&directory, address).as_deref(),
            Some("uid=ada,o=example.com,o=isp"),
            "{address}"
        );
    }
    assert_eq!(dn(&directory, "ada@example.org"), None);
    assert_eq!(
        directory.find("both@example.com").unwrap_err(),
        DirectoryError::Ambiguous("both@example.com".into())
    );
    assert!(directory.find_catchall("example.net").unwrap().is_some());
    assert!(
        directory
            .by_dn("UID=bob,o=example.com,o=ISP")
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_domain_is_local_unless_it_names_other_hosts() {
    let (_dir, directory) = written(PEOPLE);
    let local = |name| directory.domain_is_local(name, "mail.example.com").unwrap();
    assert!(local("example.com"));
    assert!(local("EXAMPLE.com"));
    assert!(!local("example.org"));
    assert!(!local("example.net"));
}

#[test]
fn a_change_is_seen_and_a_bad_one_keeps_the_last_good_state() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.ldif");
    std::fs::write(&path, PEOPLE).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&told);
    let directory = Directory::open(&path, "example.com", move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    assert!(directory.find("eve@example.com").unwrap().is_none());

    let more = format!("{PEOPLE}\ndn: uid=eve\nobjectClass: inetMailUser\nmail: eve@example.com\n");
    std::fs::write(&path, &more).unwrap();
    assert!(directory.find("eve@example.com").unwrap().is_some());

    std::fs::write(&path, format!("{more}\nthis is no ldif\n")).unwrap();
    assert!(directory.find("eve@example.com").unwrap().is_some());
    assert!(directory.find("ada@example.com").unwrap().is_some());
    let fault = directory.fault().unwrap().to_string();
    let line = more.lines().count() + 2;
    let told_as = format!("directory.ldif:{line}: no colon in \"this is no ldif\"");
    assert!(fault.ends_with(&told_as), "{fault}");
    assert_eq!(told.load(Ordering::Relaxed), 1);

    std::fs::write(&path, PEOPLE).unwrap();
    assert!(directory.find("eve@example.com").unwrap().is_none());
    assert_eq!(directory.fault(), None);

    std::fs::remove_file(&path).unwrap();
    assert!(directory.find("ada@example.com").unwrap().is_some());
    assert!(matches!(directory.fault(), Some(Fault::Vanished { .. })));
}

#[test]
fn a_directory_that_was_never_readable_is_temporarily_unavailable() {
    let (_dir, directory) = written("nonsense\n");
    assert!(matches!(
        directory.find("ada@example.com"),
        Err(DirectoryError::Unavailable(Fault::Syntax { line: 1, .. }))
    ));
}

#[test]
fn log_in_by_uid_or_address_if_the_status_allows() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let mut octets = sha2::Sha256::digest(b"secretsalt").to_vec();
    octets.extend_from_slice(b"salt");
    let stored = format!(
        "{{SSHA256}}{}",
        base64::engine::general_purpose::STANDARD.encode(octets)
    );
    let text = format!(
        "{PEOPLE}\ndn: uid=eve\nobjectClass: inetMailUser\nuid: eve\nmail: e.v@example.com\n\
         userPassword: {stored}\nmailSMTPSubmitChannel: tcp_eve\n\n\
         dn: uid=mal\nobjectClass: inetMailUser\nuid: mal\nmail: mal@example.com\n\
         mailUserStatus: disabled\nuserPassword: {stored}\n"
    );
    let (_dir, directory) = written(&text);
    for name in ["eve", "EVE@example.com", "e.v@example.com"] {
        let account = directory.authenticate(name, b"secret").unwrap().unwrap();
        assert_eq!(account.address, "e.v@example.com");
        assert_eq!(account.submit_channel.as_deref(), Some("tcp_eve"));
        assert_eq!(directory.authenticate(name, b"Secret"), Ok(None));
    }
    for name in ["mal", "nobody", "ada", "eve@example.org"] {
        assert_eq!(directory.authenticate(name, b"secret"), Ok(None), "{name}");
    }
}
