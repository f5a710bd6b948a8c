//! Deliveries to scripted servers on loopback.

use std::io::{self, BufRead, BufReader, Cursor, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use mta_channel::dequeue::{Content, DebugLog, Deliverer as _, Message};
use mta_config::{Config, ServerRoot};
use mta_dns::resolver::Table;
use mta_envelope::address::Address;
use mta_envelope::envelope::{Envelope, Priority, Recipient};
use mta_envelope::names::ChannelName;
use mta_envelope::status::{Outcome, Report};

use super::Shared;
use super::deliver::TcpClient;
use super::route::Router;

/// A message in memory.
struct Text(&'static str);

impl Content for Text {
    fn header(&mut self) -> io::Result<Vec<u8>> {
        Ok(b"Subject: x\n\n".to_vec())
    }

    fn body(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(Cursor::new(self.0.as_bytes())))
    }
}

/// What one connection of a scripted server says: a line for each line it reads, after the
/// banner. `354` makes it read a message first. It ends when it has said everything.
type Script = &'static [&'static str];

/// A server that plays its scripts, one a connection, and keeps what it was told.
struct Peer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    ended: JoinHandle<()>,
}

fn peer_at(ip: &str, port: u16, scripts: &'static [Script]) -> Peer {
    let listener = TcpListener::bind((ip, port)).unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    let ended = std::thread::spawn(move || {
        for script in scripts {
            let (socket, _) = listener.accept().unwrap();
            let mut socket = BufReader::new(socket);
            play(script, &mut socket, &notes).ok();
        }
    });
    Peer {
        address,
        heard,
        ended,
    }
}

fn play(
    script: Script,
    socket: &mut BufReader<std::net::TcpStream>,
    notes: &Mutex<Vec<String>>,
) -> io::Result<()> {
    for line in script {
        socket
            .get_mut()
            .write_all(line.replace('|', "\r\n").as_bytes())?;
        socket.get_mut().write_all(b"\r\n")?;
        let mut heard = String::new();
        loop {
            let from = heard.len();
            if socket.read_line(&mut heard)? == 0 {
                notes.lock().unwrap().push("closed".to_owned());
                return Ok(());
            }
            if !line.starts_with("354") || &heard[from..] == ".\r\n" {
                break;
            }
        }
        notes
            .lock()
            .unwrap()
            .push(heard.trim_end().replace("\r\n", "|"));
    }
    Ok(())
}

fn peer(scripts: &'static [Script]) -> Peer {
    peer_at("127.0.0.1", 0, scripts)
}

impl Peer {
    fn heard(self) -> Vec<String> {
        self.ended.join().unwrap();
        Arc::try_unwrap(self.heard).unwrap().into_inner().unwrap()
    }
}

/// A client of a channel with these options, and a table instead of the DNS.
fn client(options: &str, port: u16, names: impl FnOnce(&mut Table)) -> TcpClient {
    let folder = tempfile::tempdir().unwrap();
    let root = ServerRoot::new(folder.path().to_owned());
    std::fs::create_dir(root.config()).unwrap();
    std::fs::write(root.restricted(), "user=mailsrv\n").unwrap();
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration version="1">
<role>
<group name="base"><option name="hostname" type="string">mail.example.com</option></group>
<group name="channel" id="tcp_local">
<option name="official_host_name" type="string">tcp-daemon</option>
<option name="smtp" type="novalue"/>
<option name="mx" type="novalue"/>
<option name="port" type="integer">{port}</option>
{options}
</group>
<group name="channel" id="l"><option name="official_host_name" type="string">mail.example.com</option></group>
<group name="rewrite"><option name="rule" type="rule"><pattern>.</pattern><template>$U%$H@tcp-daemon</template></option></group>
</role>
</configuration>
"#
    );
    std::fs::write(root.config_xml(), text).unwrap();
    let (config, _) = Config::from_text(&root).unwrap();
    let config = Arc::new(config);
    let name = ChannelName::new("tcp_local").unwrap();
    let mut shared = Shared::new(&root, &config, config.channel(&name).unwrap()).unwrap();
    let mut table = Table::default();
    names(&mut table);
    let ourselves = vec!["mail.example.com".to_owned()];
    shared.router = Router::with_resolver(Box::new(table), &shared.settings, ourselves);
    TcpClient::new(Arc::new(shared), 1, DebugLog::off())
}

/// `example.net` at 127.0.0.1.
fn one_host(table: &mut Table) {
    table.add_mx("example.net", 10, "mx.example.net");
    table.add_address("mx.example.net", [127, 0, 0, 1].into());
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        id: "0KRH00A3QAO42T10@mail.example.com".into(),
        sender: Some(Address::parse("a@example.com").unwrap()),
        ret: None,
        source_channel: ChannelName::new("tcp_intranet").unwrap(),
        source_system: String::new(),
        user: String::new(),
        authenticated: None,
        arrived: 0,
        priority: Priority::Normal,
        message_id: None,
        size: 20,
        deferred_until: None,
        recipients: recipients
            .iter()
            .map(|text| Recipient::new(Address::parse(text).unwrap()))
            .collect(),
    }
}

fn deliver(client: &mut TcpClient, recipients: &[&str], body: &'static str) -> Vec<String> {
    let envelope = envelope(recipients);
    let debug = DebugLog::off();
    let mut content = Text(body);
    let mut message = Message::new(&envelope, &mut content, "ZZx.00", "example.net", &debug);
    client.deliver(&mut message).iter().map(told).collect()
}

/// An outcome as one line; ports differ from run to run and are left out.
fn told(outcome: &Outcome) -> String {
    let line = |word: &str, report: &Report| {
        let words = report.diagnostic.as_deref().unwrap_or(&report.reason);
        format!("{word} {} {words}", report.status)
    };
    match outcome {
        Outcome::Delivered(report) => line("delivered", report),
        Outcome::Relayed { report, .. } => line("relayed", report),
        Outcome::Requeued => "requeued".to_owned(),
        Outcome::Deferred(report) => line("deferred", report),
        Outcome::Failed(report) => line("failed", report),
    }
}

#[test]
fn two_messages_one_connection_and_rset_after_a_failure() {
    let peer = peer(&[&[
        "220 mx ESMTP",
        "250 mx",
        "250 ok",
        "550 5.1.1 who?",
        "250 reset",
        "250 ok",
        "250 2.1.5 d ok",
        "354 go",
        "250 taken",
        "221 bye",
    ]]);
    let mut client = client("", peer.address.port(), one_host);
    let first = deliver(&mut client, &["c@example.net"], "x\n");
    assert_eq!(first, ["failed 5.1.1 smtp;550 5.1.1 who?"]);
    let second = deliver(&mut client, &["d@example.net"], ".x\n");
    assert_eq!(second, ["relayed 2.1.5 smtp;250 2.1.5 d ok"]);
    client.finished_host();
    assert_eq!(
        peer.heard(),
        [
            "EHLO mail.example.com",
            "MAIL FROM:<a@example.com>",
            "RCPT TO:<c@example.net>",
            "RSET",
            "MAIL FROM:<a@example.com>",
            "RCPT TO:<d@example.net>",
            "DATA",
            "Subject: x||..x|.",
            "QUIT",
            "closed",
        ]
    );
}

#[test]
fn a_connection_that_went_stale_is_replaced() {
    const ONE: Script = &[
        "220 mx",
        "250 mx",
        "250 ok",
        "250 c ok",
        "354 go",
        "250 taken",
    ];
    let peer = peer(&[ONE, ONE]);
    let mut client = client("", peer.address.port(), one_host);
    for _ in 0..2 {
        let outcomes = deliver(&mut client, &["c@example.net"], "x\n");
        assert_eq!(outcomes, ["relayed 2.0.0 smtp;250 c ok"]);
    }
    client.finished_host();
}

#[test]
fn hosts_are_tried_in_order_of_preference() {
    let peer = peer(&[&[
        "220 mx",
        "250 mx",
        "250 ok",
        "250 c ok",
        "354 go",
        "250 taken",
    ]]);
    let mut client = client("", peer.address.port(), |table| {
        table.add_mx("example.net", 20, "good.example.net");
        table.add_mx("example.net", 10, "dead.example.net");
        table.add_mx("example.net", 5, "gone.example.net");
        table.add_address("good.example.net", [127, 0, 0, 1].into());
        table.add_address("dead.example.net", [127, 0, 0, 7].into());
    });
    let outcomes = deliver(&mut client, &["c@example.net"], "x\n");
    assert_eq!(outcomes, ["relayed 2.0.0 smtp;250 c ok"]);
}

#[test]
fn a_closed_port_defers_and_the_next_message_is_not_even_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut client = client("", port, one_host);
    let text = format!(
        "deferred 4.4.1 TCP active open: Failed connect() 127.0.0.1:{port}  Error: Connection refused"
    );
    for _ in 0..3 {
        assert_eq!(
            deliver(&mut client, &["c@example.net"], "x\n"),
            [text.as_str()]
        );
    }
}

#[test]
fn dns_answers_decide_between_never_and_later() {
    let mut client = client("", 1, |table| {
        table.add_mx("null.example", 0, ".");
        table.add_mx("us.example", 10, "mail.example.com");
        table.add_trouble("slow.example", "timed out");
    });
    let table = [
        (
            "a@nowhere.example",
            "failed 5.1.2 Illegal host/domain name found: nowhere.example",
        ),
        (
            "a@null.example",
            "failed 5.1.10 domain null.example does not accept mail",
        ),
        (
            "a@us.example",
            "failed 5.4.6 mail for us.example loops back to this system",
        ),
        (
            "a@slow.example",
            "deferred 4.4.3 cannot look up slow.example: timed out",
        ),
    ];
    for (recipient, expected) in table {
        assert_eq!(deliver(&mut client, &[recipient], "x\n"), [expected]);
    }
}

#[test]
fn a_5yz_banner_everywhere_is_for_good_and_a_4yz_one_is_not() {
    for (script, expected) in [
        (
            &["554 5.7.1 go away"] as Script,
            "failed 5.7.1 smtp;554 5.7.1 go away",
        ),
        (&["421 4.3.2 busy"], "deferred 4.3.2 smtp;421 4.3.2 busy"),
    ] {
        let scripts: &'static [Script] = Box::leak(Box::new([script]));
        let peer = peer(scripts);
        let mut client = client("", peer.address.port(), one_host);
        assert_eq!(deliver(&mut client, &["c@example.net"], "x\n"), [expected]);
    }
}

#[test]
fn a_server_that_hangs_up_on_ehlo_is_greeted_with_helo() {
    let peer = peer(&[
        &["220 old"],
        &[
            "220 old",
            "250 hi",
            "250 ok",
            "250 c ok",
            "354 go",
            "250 taken",
            "221 bye",
        ],
    ]);
    let mut client = client("", peer.address.port(), one_host);
    let outcomes = deliver(&mut client, &["c@example.net"], "x\n");
    assert_eq!(outcomes, ["relayed 2.0.0 smtp;250 c ok"]);
    client.finished_host();
    let heard = peer.heard();
    assert_eq!(
        heard[..2],
        ["EHLO mail.example.com", "HELO mail.example.com"]
    );
}

#[test]
fn a_failed_handshake_is_followed_by_mail_in_clear_or_by_none() {
    let maytls = r#"<option name="maytlsclient" type="novalue"/>"#;
    let musttls = r#"<option name="musttlsclient" type="novalue"/>"#;
    const NO_TLS: Script = &["220 x", "250-x|250 STARTTLS", "220 go", "this is no TLS"];
    const CLEAR: Script = &[
        "220 x",
        "250 x",
        "250 ok",
        "250 c ok",
        "354 go",
        "250 taken",
        "221 x",
    ];
    let may = peer(&[NO_TLS, CLEAR]);
    let mut client_may = client(maytls, may.address.port(), one_host);
    let outcomes = deliver(&mut client_may, &["c@example.net"], "x\n");
    assert_eq!(outcomes, ["relayed 2.0.0 smtp;250 c ok"]);
    let must = peer(&[NO_TLS]);
    let mut client_must = client(musttls, must.address.port(), one_host);
    let outcomes = deliver(&mut client_must, &["c@example.net"], "x\n");
    assert!(
        outcomes[0].starts_with("deferred 4.7.5 TLS handshake failed"),
        "{outcomes:?}"
    );
}

#[test]
fn recipients_of_several_hosts_and_daemon() {
    const SINK: Script = &[
        "220 mx",
        "250 mx",
        "250 ok",
        "250 ok",
        "250 ok",
        "354 go",
        "250 taken",
        "221 bye",
    ];
    for host in ["[127.0.0.1]", "127.0.0.1"] {
        let hub = peer(&[SINK]);
        let daemon = format!(r#"<option name="daemon" type="string">{host}</option>"#);
        let mut client = client(&daemon, hub.address.port(), |_| ());
        let outcomes = deliver(&mut client, &["c@one.example", "d@two.example"], "x\n");
        assert_eq!(outcomes.len(), 2);
        let relayed = |outcome: &String| outcome.starts_with("relayed");
        assert!(outcomes.iter().all(relayed), "{host}: {outcomes:?}");
    }
}

#[test]
fn eight_bit_is_passed_to_those_who_take_it_and_encoded_for_others() {
    const WITH: Script = &[
        "220 x",
        "250-x|250 8BITMIME",
        "250 ok",
        "250 c ok",
        "354 go",
        "250 taken",
        "221 bye",
    ];
    const WITHOUT: Script = &[
        "220 x",
        "250 x",
        "250 ok",
        "250 c ok",
        "354 go",
        "250 taken",
        "221 bye",
    ];
    let charset = r#"<option name="charset8" type="string">UTF-8</option>"#;
    for (script, mail, body) in [
        (
            WITH,
            "MAIL FROM:<a@example.com> BODY=8BITMIME",
            "Subject: x||B\u{f6}tes|.",
        ),
        (
            WITHOUT,
            "MAIL FROM:<a@example.com>",
            "Subject: x|MIME-version: 1.0|Content-type: TEXT/PLAIN; CHARSET=UTF-8|\
             Content-transfer-encoding: QUOTED-PRINTABLE||B=C3=B6tes|.",
        ),
    ] {
        let scripts: &'static [Script] = Box::leak(Box::new([script]));
        let peer = peer(scripts);
        let mut client = client(charset, peer.address.port(), one_host);
        let outcomes = deliver(&mut client, &["c@example.net"], "B\u{f6}tes\n");
        assert_eq!(outcomes, ["relayed 2.0.0 smtp;250 c ok"]);
        client.finished_host();
        let heard = peer.heard();
        assert_eq!((heard[1].as_str(), heard[4].as_str()), (mail, body));
    }
}

#[test]
fn our_own_xloop_bounces_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = client("", listener.local_addr().unwrap().port(), one_host);
    let own = client.own_xloop().to_owned();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"220 x\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(socket.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        socket
            .write_all(format!("250-x\r\n250 XLOOP {own}\r\n").as_bytes())
            .unwrap();
        socket
    });
    let outcomes = deliver(&mut client, &["c@example.net"], "x\n");
    assert_eq!(outcomes, ["failed 5.4.6 the remote system is this one"]);
    drop(server.join().unwrap());
}
