//! Sessions over loopback sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mta_envelope::address::Address;
use mta_envelope::envelope::Notify;

use super::client::{self, ConnectionError, Times};
use super::server::{self, serve};
use crate::client::{Fate, Letter, LetterRecipient, Manners, TlsUse};
use crate::server::Limits;
use crate::server::tests::policy::TestPolicy;
use crate::tls::Connector;

/// A server of one session. The session ends when the value that keeps it awake is dropped.
struct Served {
    port: u16,
    awake: OwnedFd,
    ended: JoinHandle<Vec<String>>,
}

fn start(mut policy: TestPolicy, limits: Limits, tls_first: bool) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asleep, awake) = nix::unistd::pipe().unwrap();
    let ended = super::thread("session")
        .spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let connection = server::Connection {
                socket,
                tls_first,
                wake: asleep.as_fd(),
                limits,
            };
            serve(connection, &mut policy);
            policy.told.into_iter().collect()
        })
        .unwrap();
    Served { port, awake, ended }
}

fn policy() -> TestPolicy {
    let mut policy = TestPolicy::new();
    policy.acceptor = Some(crate::server::tests::tls_auth::acceptor());
    policy
}

fn dial(served: &Served) -> BufReader<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    BufReader::new(socket)
}

fn expect(socket: &mut BufReader<TcpStream>, line: &str) {
    let mut said = String::new();
    socket.read_line(&mut said).unwrap();
    assert_eq!(said.trim_end(), line);
}

fn letter(recipients: &[&str], chunking: bool) -> Letter {
    let recipient = |text: &&str| LetterRecipient {
        address: Address::parse(text).unwrap(),
        notify: Notify::default(),
        original: None,
    };
    Letter {
        recipients: recipients.iter().map(recipient).collect(),
        chunking,
        ..Letter::default()
    }
}

fn manners(tls: TlsUse) -> Manners {
    Manners {
        name: "client.example".into(),
        tls,
        ..Manners::default()
    }
}

fn short() -> Times {
    let second = Duration::from_secs(1);
    Times {
        status: second,
        mail_status: second,
        rcpt_status: second,
        content_status: second,
        transmit: second,
        mail_transmit: second,
        rcpt_transmit: second,
        data_transmit: second,
        dot_transmit: second,
        handshake: second,
        opening: second * 20,
        message: second * 20,
    }
}

fn connect(port: u16, tls: TlsUse, times: &Times) -> Result<client::Connection, ConnectionError> {
    let to = format!("127.0.0.1:{port}").parse().unwrap();
    let socket = super::connect(to, None, Duration::from_secs(5)).unwrap();
    let connector = Connector::opportunistic().unwrap();
    client::Connection::open(socket, "mx.example", &manners(tls), &connector, times)
        .map_err(|failed| failed.error)
}

#[test]
fn our_client_talks_to_our_server_in_clear_under_tls_and_by_chunks() {
    let body = b"Subject: x\n\n.dot\nlast\n".repeat(20_000);
    for (tls, chunking) in [
        (TlsUse::Never, false),
        (TlsUse::Must, false),
        (TlsUse::May, true),
    ] {
        let limits = Limits {
            long_lines: crate::data::LongLines::Reject,
            ..Limits::default()
        };
        let served = start(policy(), limits, false);
        let mut connection = connect(served.port, tls, &Times::default()).unwrap();
        assert_eq!(connection.tls().is_some(), tls != TlsUse::Never);
        let letter = letter(&["unknown@d", "c@d"], chunking);
        for _ in 0..2 {
            let sent = connection.transfer(&letter, &mut body.as_slice(), &Times::default());
            assert!(sent.error.is_none(), "{:?}", sent.error);
            assert_eq!(sent.chunked, chunking);
            let fates: Vec<Fate> = sent.verdicts.iter().map(|verdict| verdict.fate).collect();
            assert_eq!(fates, [Fate::Permanent, Fate::Accepted]);
            assert!(connection.is_usable());
        }
        connection.quit(Duration::from_secs(5));
        let told = served.ended.join().unwrap();
        let expected = String::from_utf8(body.clone())
            .unwrap()
            .escape_debug()
            .to_string();
        let stored: Vec<_> = told
            .iter()
            .filter(|event| event.starts_with("stored"))
            .collect();
        assert_eq!(stored.len(), 2);
        assert!(stored.iter().all(|event| event.contains(&expected)));
        assert_eq!(told.last().unwrap(), "closed: Quit");
    }
}

#[test]
fn a_port_may_speak_tls_from_the_first_byte() {
    let served = start(policy(), Limits::default(), true);
    let mut socket = dial(&served);
    socket.get_mut().write_all(b"EHLO in clear\r\n").unwrap();
    let mut rest = Vec::new();
    // An alert, then the end.
    drop(socket.read_to_end(&mut rest));
    assert!(!rest.starts_with(b"220"));
    let told = served.ended.join().unwrap();
    assert!(
        told.last().unwrap().starts_with("closed: TlsFailed"),
        "{told:?}"
    );
}

#[test]
fn an_idle_session_hears_of_a_shutdown() {
    let served = start(policy(), Limits::default(), false);
    let mut socket = dial(&served);
    expect(&mut socket, "220 mx ESMTP");
    socket.get_mut().write_all(b"NOOP\r\n").unwrap();
    expect(&mut socket, "250 2.5.0 Ok.");
    drop(served.awake);
    expect(
        &mut socket,
        "421 4.3.2 Service is shutting down; try again later.",
    );
    assert_eq!(served.ended.join().unwrap(), ["closed: Shutdown"]);
}

#[test]
fn a_command_has_a_deadline_however_it_trickles() {
    let limits = Limits {
        command_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = start(policy(), limits, false);
    let mut socket = dial(&served);
    expect(&mut socket, "220 mx ESMTP");
    let mut writer = socket.get_ref().try_clone().unwrap();
    let (stop, stopped) = mpsc::channel::<()>();
    let trickle = std::thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(20)).is_err() {
            if writer.write_all(b"N").is_err() {
                return;
            }
        }
    });
    let began = Instant::now();
    expect(&mut socket, "421 4.4.2 Timeout while waiting for command.");
    assert!(began.elapsed() < Duration::from_secs(10));
    stop.send(()).ok();
    trickle.join().unwrap();
    assert_eq!(served.ended.join().unwrap(), ["closed: CommandTimeout"]);
}

#[test]
fn data_has_a_minimum_rate() {
    let limits = Limits {
        data_time: Duration::from_millis(300),
        data_rate: 10_000,
        ..Limits::default()
    };
    let served = start(policy(), limits, false);
    let mut socket = dial(&served);
    expect(&mut socket, "220 mx ESMTP");
    socket
        .get_mut()
        .write_all(b"MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        .unwrap();
    expect(&mut socket, "250 2.5.0 Address Ok.");
    expect(&mut socket, "250 2.1.5 c@d OK.");
    expect(&mut socket, "354 Enter mail, end with a single \".\".");
    let mut writer = socket.get_ref().try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        // Far less than 10,000 octets a second; ends when the server closes.
        while writer.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    });
    expect(&mut socket, "421 4.4.2 Timeout while receiving data.");
    assert_eq!(served.ended.join().unwrap(), ["closed: DataTimeout"]);
    drop(socket);
    trickle.join().unwrap();
}

#[test]
fn twenty_megabytes_in_a_line_are_answered() {
    let served = start(policy(), Limits::default(), false);
    let mut socket = dial(&served);
    expect(&mut socket, "220 mx ESMTP");
    let line = [vec![b'x'; 20 << 20], b"\r\n".to_vec()].concat();
    socket.get_mut().write_all(&line).unwrap();
    expect(&mut socket, "500 5.5.2 Command line is too long.");
    socket
        .get_mut()
        .write_all(b"MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        .unwrap();
    for answer in [
        "250 2.5.0 Address Ok.",
        "250 2.1.5 c@d OK.",
        "354 Enter mail, end with a single \".\".",
    ] {
        expect(&mut socket, answer);
    }
    socket.get_mut().write_all(&line).unwrap();
    socket.get_mut().write_all(b".\r\nQUIT\r\n").unwrap();
    expect(&mut socket, "250 2.5.0 Ok, envelope id ID@mx");
    expect(&mut socket, "221 2.3.0 Bye received. Goodbye.");
    assert_eq!(served.ended.join().unwrap().last().unwrap(), "closed: Quit");
}

#[test]
fn a_panic_is_a_421_for_this_client() {
    let served = start(policy(), Limits::default(), false);
    let mut socket = dial(&served);
    expect(&mut socket, "220 mx ESMTP");
    socket.get_mut().write_all(b"VRFY panic\r\n").unwrap();
    expect(&mut socket, "421 4.3.0 Internal error; closing connection.");
    assert_eq!(served.ended.join().unwrap(), ["closed: Panic"]);
}

#[test]
fn a_client_that_goes_is_noticed() {
    let served = start(policy(), Limits::default(), false);
    let mut socket = dial(&served);
    expect(&mut socket, "220 mx ESMTP");
    drop(socket);
    assert_eq!(served.ended.join().unwrap(), ["closed: PeerGone"]);
}

/// A server that says what it is told to, one text for each line or end of data it reads.
fn scripted(answers: Vec<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut socket = BufReader::new(socket);
        for answer in answers {
            if socket.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
            let mut line = String::new();
            if socket.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
        }
    });
    port
}

#[test]
fn servers_that_hang_close_or_talk_nonsense_only_defer() {
    let ehlo = "250-x\r\n250 8BITMIME\r\n";
    let table = [
        (
            vec!["220 x\r\n", ehlo, "250 ok\r\n", "250 ok\r\n", ""],
            "os_smtp_read: timed out",
        ),
        (
            vec!["220 x\r\n", ehlo, "250 ok\r\n"],
            "os_smtp_read: connection closed by peer",
        ),
        (
            vec!["220 x\r\n", ehlo, "hello\r\n"],
            "nonsense reply from remote server: \"hello\"",
        ),
        (
            vec!["220 x\r\n", ehlo, "250-ok\r\n250"],
            "os_smtp_read: timed out",
        ),
        (
            vec!["220 x\r\n", ehlo, "421 4.3.2 bye\r\n"],
            "remote server answers out of step",
        ),
    ];
    for (answers, error) in table {
        let hangs = error.contains("timed out");
        let mut answers = answers;
        if hangs {
            answers.push("");
        }
        let mut connection = connect(scripted(answers), TlsUse::Never, &short()).unwrap();
        let sent = connection.transfer(&letter(&["c@d"], false), &mut b"x\n".as_slice(), &short());
        assert_eq!(sent.verdicts[0].fate, Fate::Temporary);
        assert_eq!(sent.error.unwrap().to_string(), error);
        assert!(!connection.is_usable());
    }
}

#[test]
fn a_server_that_answers_each_command_late_enough_is_given_up() {
    let (stop, stopped) = mpsc::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tarpit = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        // A line of a reply that never ends, always before the patience of one answer does.
        socket.write_all(b"220 x\r\n250 x\r\n").unwrap();
        while stopped.recv_timeout(Duration::from_millis(20)).is_err() {
            if socket.write_all(b"250-more\r\n").is_err() {
                return;
            }
        }
    });
    let patient = Duration::from_secs(600);
    let times = Times {
        mail_status: patient,
        message: Duration::from_millis(300),
        ..Times::default()
    };
    let mut connection = connect(port, TlsUse::Never, &times).unwrap();
    let sent = connection.transfer(&letter(&["c@d"], false), &mut b"x\n".as_slice(), &times);
    assert_eq!(sent.verdicts[0].fate, Fate::Temporary);
    assert!(sent.error.is_some());
    stop.send(()).ok();
    tarpit.join().unwrap();
}

#[test]
fn a_handshake_that_fails_is_told_apart() {
    let port = scripted(vec![
        "220 x\r\n",
        "250-x\r\n250 STARTTLS\r\n",
        "220 go\r\n250 injected\r\n",
        "no TLS here\r\n",
    ]);
    let error = connect(port, TlsUse::May, &short()).unwrap_err();
    assert!(matches!(error, ConnectionError::Handshake(_)), "{error}");
}
