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
    let directory = at_once(&path, |_, _| {});
    (dir, directory)
}

/// A directory that takes each change for complete.
fn at_once(path: &Path, report: impl Fn(&Fault, bool) + Send + Sync + 'static) -> Directory {
    Directory::settling(path, "example.com", Box::new(report), Duration::ZERO)
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
    let directory = at_once(&path, move |_, has_state| {
        assert!(has_state);
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
fn a_file_that_was_emptied_is_no_new_state() {
    let (dir, directory) = written(PEOPLE);
    let path = dir.path().join("directory.ldif");
    for content in ["", "version: 1\n\n# nobody\n"] {
        std::fs::write(&path, content).unwrap();
        assert!(directory.find("ada@example.com").unwrap().is_some());
        let empty = Some(Fault::Empty { path: path.clone() });
        assert_eq!(directory.fault(), empty);
    }
    let (_dir, directory) = written("");
    assert!(matches!(
        directory.find("ada@example.com"),
        Err(DirectoryError::Unavailable(Fault::Empty { .. }))
    ));
}

#[test]
fn a_file_that_is_being_written_is_not_taken_yet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.ldif");
    std::fs::write(&path, PEOPLE).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let slow = Directory::settling(&path, "example.com", Box::new(|_, _| {}), day);
    let quick = at_once(&path, |_, _| {});
    // Half of it parses as well, but for the one who lies in the other half it is no news.
    std::fs::write(&path, &PEOPLE[..PEOPLE.find("dn: uid=bob").unwrap()]).unwrap();
    assert!(slow.find("bob@example.com").unwrap().is_some());
    assert_eq!(slow.fault(), None);
    assert!(quick.find("bob@example.com").unwrap().is_none());
    // Nor is it when it was empty for so long that this was taken for a fault.
    let mut known = slow.state.write().unwrap();
    known.seen = known.seen.map(|seen| Seen { size: 0, ..seen });
    drop(known);
    assert!(slow.find("bob@example.com").unwrap().is_some());
    // What has only grown is seen at once.
    let more = format!(
        "{PEOPLE}\ndn: uid=cy,o=x\nobjectClass: inetMailUser\nuid: cy\nmail: cy@example.com\n"
    );
    std::fs::write(&path, more).unwrap();
    assert!(slow.find("cy@example.com").unwrap().is_some());
}

#[test]
fn a_file_has_settled_when_its_last_change_is_old_enough() {
    let seen = |modified, changed| Seen {
        identity: (1, 1),
        size: 1,
        modified,
        changed,
    };
    let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    let settled = |seen: Seen, millis| seen.is_settled(at(millis), SETTLE);
    assert!(!settled(seen((100, 0), (100, 0)), 100_999));
    assert!(settled(seen((100, 0), (100, 0)), 101_000));
    // An old file that was moved here just now.
    assert!(!settled(seen((1, 0), (100, 0)), 100_500));
    // A clock that was wrong.
    assert!(settled(seen((900, 0), (100, 0)), 100_500));
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
