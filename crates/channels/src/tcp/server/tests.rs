//! Whole sessions over loopback sockets, against a server root of their own.

use super::process::{Server, Session};
use super::switching::by_client;
use mta_channel::enqueue::{Context, ReverseName};
use mta_config::{Config, ServerRoot};
use mta_envelope::names::ServiceName;
use mta_ipc::handover::{Arrival, DispatcherEnd, ServerEnd};
use mta_log::program::ProgramLog;
use mta_smtp::drive::Wire;
use mta_smtp::line::Input;
use mta_smtp::tls::Connector;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RULES: &[(&str, &str)] = &[
    ("$*", "$A$E$F$U%$H$V$H@mail.example.com"),
    ("mail.example.com", "$U%$D@mail.example.com"),
    ("[]", "$E$R${INTERNAL_IP,$L}$U%[$L]@tcp_intranet-daemon"),
    ("[]", "$U%[$L]@tcp-daemon"),
    ("ims-ms-daemon", "$U%$H@ims-ms-daemon"),
    (".", "$U%$H@tcp-daemon"),
];

/// Name, official host and words of a channel.
type Block = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const CHANNELS: &[Block] = &[
    ("l", "mail.example.com", &[("viaaliasrequired", "")]),
    ("ims-ms", "ims-ms-daemon", &[("subdirs", "2")]),
    (
        "tcp_local",
        "tcp-daemon",
        &[
            ("smtp", ""),
            ("single_sys", ""),
            ("switchchannel", ""),
            ("identnonenumeric", ""),
            ("maysaslserver", ""),
            ("maytlsserver", ""),
            ("saslswitchchannel", "tcp_auth"),
        ],
    ),
    (
        "tcp_intranet",
        "tcp_intranet-daemon",
        &[("smtp", ""), ("single_sys", ""), ("allowswitchchannel", "")],
    ),
    (
        "tcp_auth",
        "tcp_auth-daemon",
        &[("smtp", ""), ("mustsaslserver", "")],
    ),
];

const DIRECTORY: &str = "\
dn: o=example.com
objectClass: mailDomain
sunPreferredDomain: example.com

dn: uid=ada,o=example.com
objectClass: inetMailUser
uid: ada
mail: ada@example.com
";

/// `config.xml`; `internal` says whether loopback addresses are.
fn text(internal: bool, more: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\"?>\n<configuration version=\"1\">\n<role>\n");
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    add("<group name=\"base\"><option name=\"hostname\" type=\"string\">mail.example.com</option>");
    add("<option name=\"defaultdomain\" type=\"string\">example.com</option></group>");
    add("<group name=\"channel\" id=\"defaults\"><option name=\"logging\" type=\"novalue\"/>");
    add("<option name=\"noswitchchannel\" type=\"novalue\"/></group>");
    for (name, host, words) in CHANNELS {
        let mut line = String::new();
        write!(line, "<group name=\"channel\" id=\"{name}\">").unwrap();
        write!(
            line,
            "<option name=\"official_host_name\" type=\"string\">{host}</option>"
        )
        .unwrap();
        for (word, value) in *words {
            match value.is_empty() {
                true => write!(line, "<option name=\"{word}\" type=\"novalue\"/>").unwrap(),
                false => {
                    write!(
                        line,
                        "<option name=\"{word}\" type=\"string\">{value}</option>"
                    )
                    .unwrap();
                }
            }
        }
        add(&line);
        add("</group>");
    }
    let rule = |(pattern, template): &(&str, &str)| {
        format!(
            "<option name=\"rule\" type=\"rule\"><pattern>{pattern}</pattern>\
             <template>{template}</template></option>"
        )
    };
    add("<group name=\"rewrite\">");
    RULES.iter().for_each(|entry| add(&rule(entry)));
    add("</group><group name=\"mapping\" id=\"INTERNAL_IP\">");
    add(&rule(&("127.0.0.1", if internal { "$Y" } else { "$N" })));
    add(&rule(&("::1", "$Y")));
    add(&rule(&("*", "$N")));
    add("</group><group name=\"mapping\" id=\"ORIG_SEND_ACCESS\">");
    add(&rule(&(
        "tcp_local|*|tcp_local|*",
        "$NRelaying$ not$ allowed",
    )));
    add("</group><group name=\"dispatcher\"><group name=\"service\" id=\"SMTP\">");
    add("<option name=\"tcp_ports\" type=\"list\">2525</option>");
    add("<option name=\"image\" type=\"string\">IMTA_BIN:tcp_smtp_server</option>");
    add("<option name=\"parameter\" type=\"string\">CHANNEL=tcp_local</option>");
    add("</group></group>");
    add(more);
    add("</role>\n</configuration>");
    text
}

struct World {
    dir: tempfile::TempDir,
    server: Arc<Server>,
    _dispatcher: DispatcherEnd,
}

impl World {
    fn new(internal: bool, more: &str) -> Self {
        Self::with_directory(internal, more, DIRECTORY)
    }

    fn with_directory(internal: bool, more: &str, directory: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(dir.path().to_owned());
        for directory in [root.config(), root.queue(), root.log(), root.db()] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(root.config_xml(), text(internal, more)).unwrap();
        fs::write(root.restricted(), "user=mailsrv\n").unwrap();
        fs::write(root.directory(), directory).unwrap();
        let config = Config::load(&root).unwrap();
        let service = config.dispatcher.service("SMTP").unwrap().clone();
        let log = Arc::new(ProgramLog::on_demand(&root.log(), "tcp_smtp_server"));
        let (dispatcher, end) = DispatcherEnd::pair().unwrap();
        let end = ServerEnd::over(end);
        let (server, _ended) = Server::new(root, config, &service, &log, end).unwrap();
        Self {
            dir,
            server: Arc::new(server),
            _dispatcher: dispatcher,
        }
    }

    /// A client whose session runs on a thread of its own.
    fn client(&self) -> Client {
        self.client_of(false)
    }

    /// The same, on a port that speaks TLS from the first octet or not.
    fn client_of(&self, tls: bool) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let arrival = Arrival {
            id: 1,
            service: ServiceName::new("SMTP").unwrap(),
            local: stream.local_addr().unwrap(),
            peer,
            tls,
            accepted: 0,
            stream,
        };
        let session = Session(Arc::clone(&self.server), 1);
        mta_smtp::drive::thread("session")
            .spawn(move || session.run(arrival))
            .unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client(BufReader::new(ours))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("data/log/mail.log_current")).unwrap_or_default()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    /// One whole reply.
    fn reply(&mut self) -> String {
        let mut text = String::new();
        loop {
            let start = text.len();
            self.0.read_line(&mut text).unwrap();
            let line = &text[start..];
            if line.is_empty() || line.as_bytes().get(3) != Some(&b'-') {
                return text.trim_end().replace("\r\n", "\n");
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.reply()
    }
}

#[test]
fn a_message_goes_in_and_leaves_its_trail() {
    let world = World::new(false, "");
    let mut client = world.client();
    let banner = client.reply();
    assert!(
        banner.starts_with("220 mail.example.com -- Server ESMTP (imta "),
        "{banner}"
    );
    let list = client.say("EHLO client.example");
    assert!(
        list.starts_with("250-mail.example.com\n250-8BITMIME\n250-PIPELINING\n"),
        "{list}"
    );
    assert!(list.ends_with("\n250 SIZE 0"), "{list}");
    assert_eq!(
        client.say("MAIL FROM:<bob@elsewhere.example>"),
        "250 2.5.0 Address Ok."
    );
    assert_eq!(
        client.say("RCPT TO:<ada@example.com>"),
        "250 2.1.5 ada@example.com OK."
    );
    assert_eq!(
        client.say("RCPT TO:<nobody@example.com>"),
        "550 5.1.1 unknown or illegal alias: nobody@example.com"
    );
    assert_eq!(
        client.say("RCPT TO:<x@elsewhere.example>"),
        "550 5.7.1 Relaying not allowed: x@elsewhere.example"
    );
    assert!(client.say("DATA").starts_with("354 "));
    let answer = client.say("Subject: x\r\n\r\nhello\r\n.");
    assert!(
        answer.starts_with("250 2.5.0 Ok, envelope id 0"),
        "{answer}"
    );
    assert!(answer.ends_with("@mail.example.com"), "{answer}");
    assert!(client.say("QUIT").starts_with("221 2.3.0 "));
    let log = world.log();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(
        lines[0].contains(" JE 0 bob@elsewhere.example rfc822;nobody@example.com"),
        "{log}"
    );
    assert!(
        lines[1].ends_with("550 5.7.1 Relaying not allowed: x@elsewhere.example"),
        "{log}"
    );
    assert!(
        lines[2].contains(" tcp_local    ims-ms       EE 1 "),
        "{log}"
    );
}

#[test]
fn clients_of_ours_come_from_the_intranet() {
    let world = World::new(true, "");
    let mut client = world.client();
    client.reply();
    client.say("HELO client.example");
    client.say("MAIL FROM:<ada@example.com>");
    assert_eq!(
        client.say("RCPT TO:<x@elsewhere.example>"),
        "250 2.1.5 x@elsewhere.example OK."
    );
    client.say("DATA");
    assert!(client.say("Subject: x\r\n\r\n.").starts_with("250 "));
    let log = world.log();
    assert!(
        log.contains(" tcp_intranet tcp_local    E 1 ada@example.com"),
        "{log}"
    );
}

#[test]
fn addresses_of_both_kinds_choose_the_channel() {
    let world = World::new(true, "");
    let config = world.server.enqueuer.config();
    let context = Context {
        config: &config,
        directory: world.server.enqueuer.directory(),
        databases: world.server.enqueuer.databases(),
    };
    let initial = config.channel(&world.server.channel).unwrap();
    let table = [
        ("127.0.0.1", "tcp_intranet"),
        ("::ffff:127.0.0.1", "tcp_intranet"),
        ("::1", "tcp_intranet"),
        ("192.0.2.1", "tcp_local"),
        ("2001:db8::1", "tcp_local"),
    ];
    for (address, channel) in table {
        let address = address.parse().unwrap();
        let name = ReverseName::NotAsked;
        let found = by_client(context, initial, address, &name);
        assert_eq!(found.name().as_str(), channel, "{address}");
    }
}

#[test]
fn port_access_is_asked_again() {
    let refuse = "<group name=\"mapping\" id=\"PORT_ACCESS\"><option name=\"rule\" type=\"rule\">\
                  <pattern>TCP|*|*|127.0.0.1|*</pattern>\
                  <template>$N400$ can't$ connect$ now</template></option></group>\
                  <group name=\"mta\"><option name=\"log_connection\" type=\"integer\">3</option>\
                  </group>";
    let world = World::new(false, refuse);
    let mut client = world.client();
    assert_eq!(client.reply(), "400 can't connect now");
    assert_eq!(client.reply(), "");
    assert!(world.log().contains(" X TCP|127.0.0.1|"), "{}", world.log());
}

#[test]
fn a_shutdown_reaches_an_idle_session() {
    let world = World::new(false, "");
    let mut client = world.client();
    client.reply();
    client.say("EHLO client.example");
    world.server.wake_all();
    assert!(client.reply().starts_with("421 4.3.2 "));
    assert_eq!(client.reply(), "");
}

/// A certificate of its own making, and the options that name it.
fn certificate(dir: &std::path::Path) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["mail.example.com".to_owned()]).unwrap();
    fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let option = |name: &str, file: &str| {
        let path = dir.join(file);
        format!(
            "<option name=\"{name}\" type=\"string\">{}</option>",
            path.display()
        )
    };
    format!(
        "<group name=\"mta\">{}{}<option name=\"log_connection\" type=\"integer\">130</option>\
         </group>",
        option("tls_certificate", "cert.pem"),
        option("tls_key", "key.pem")
    )
}

/// `{SSHA256}` of a password, with a fixed salt.
fn stored(password: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let mut octets = sha2::Sha256::digest(format!("{password}salt")).to_vec();
    octets.extend_from_slice(b"salt");
    let coded = base64::engine::general_purpose::STANDARD.encode(octets);
    format!("{{SSHA256}}{coded}")
}

/// A client under TLS.
struct SecureClient(Wire<'static>);

impl SecureClient {
    fn say(&mut self, line: &str) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        let mut input = Input::default();
        self.0
            .write_all(format!("{line}\r\n").as_bytes(), until)
            .unwrap();
        loop {
            self.0.read(&mut input, 4096, until).unwrap();
            let text = String::from_utf8_lossy(input.rest()).replace("\r\n", "\n");
            let last = text.lines().last().unwrap_or("");
            if text.ends_with('\n') && last.as_bytes().get(3) == Some(&b' ') {
                return text.trim_end().to_owned();
            }
        }
    }
}

#[test]
fn authenticated_senders_relay_under_tls_only() {
    let files = tempfile::tempdir().unwrap();
    let with_password = format!("{DIRECTORY}userPassword: {}\n", stored("secret"));
    let world = World::with_directory(false, &certificate(files.path()), &with_password);
    let mut client = world.client();
    client.reply();
    let list = client.say("EHLO client.example");
    assert!(
        list.contains("250-STARTTLS\n") && !list.contains("AUTH"),
        "{list}"
    );
    assert!(client.say("AUTH PLAIN AGFkYQBzZWNyZXQ=").starts_with("5"));
    assert!(client.say("STARTTLS").starts_with("220 "));
    let mut wire = Wire::new(client.0.into_inner(), None).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let connector = Connector::opportunistic().unwrap();
    wire.connect_tls(&connector, "mail.example.com", until)
        .unwrap();
    let mut client = SecureClient(wire);
    let list = client.say("EHLO client.example");
    assert!(list.contains("250-AUTH PLAIN LOGIN\n"), "{list}");
    assert!(!list.contains("STARTTLS"), "{list}");
    let wrong = client.say("AUTH PLAIN AGFkYQBTZWNyZXQ=");
    assert_eq!(
        wrong,
        "535 5.7.8 Bad username or password (Authentication failed)."
    );
    let right = client.say("AUTH PLAIN AGFkYQBzZWNyZXQ=");
    assert_eq!(right, "235 2.7.0 PLAIN authentication successful.");
    client.say("MAIL FROM:<ada@example.com>");
    assert_eq!(
        client.say("RCPT TO:<x@elsewhere.example>"),
        "250 2.1.5 x@elsewhere.example OK."
    );
    client.say("DATA");
    assert!(client.say("Subject: x\r\n\r\n.").starts_with("250 "));
    let log = world.log();
    assert!(
        log.contains(" tcp_auth     tcp_local    EESA 1 ada@example.com"),
        "{log}"
    );
    assert!(
        log.contains("SMTP/client.example ada 535 5.7.8 Bad username"),
        "{log}"
    );
}

#[test]
fn a_message_in_chunks_is_recorded_as_such() {
    let world = World::new(false, "");
    let mut client = world.client();
    client.reply();
    client.say("EHLO client.example");
    client.say("MAIL FROM:<bob@elsewhere.example>");
    client.say("RCPT TO:<ada@example.com>");
    let answer = client.say("BDAT 16 LAST\r\nSubject: x\r\n\r\nab");
    assert!(answer.starts_with("250 2.5.0 Ok, envelope id "), "{answer}");
    let log = world.log();
    assert!(
        log.contains(" tcp_local    ims-ms       EEC 1 bob@elsewhere.example"),
        "{log}"
    );
}

#[test]
fn a_lost_connection_leaves_a_record_of_those_it_was_for() {
    let world = World::new(false, "");
    let mut client = world.client();
    client.reply();
    client.say("EHLO client.example");
    client.say("MAIL FROM:<bob@elsewhere.example>");
    client.say("RCPT TO:<ada@example.com>");
    client.say("RSET");
    client.say("MAIL FROM:<eve@elsewhere.example>");
    client.say("RCPT TO:<ada@example.com>");
    client.say("DATA");
    client.0.get_mut().write_all(b"Subject: x\r\n").unwrap();
    drop(client);
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.log().is_empty() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let log = world.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains(" VE 0 eve@elsewhere.example rfc822;ada@example.com"),
        "{log}"
    );
}

#[test]
fn a_certificate_that_cannot_be_read_is_454() {
    let files = tempfile::tempdir().unwrap();
    let world = World::new(false, &certificate(files.path()));
    fs::write(files.path().join("cert.pem"), "nothing").unwrap();
    let mut client = world.client();
    client.reply();
    client.say("EHLO client.example");
    assert_eq!(
        client.say("STARTTLS"),
        "454 4.7.1 TLS library initialization failure"
    );
    assert_eq!(client.say("NOOP"), "250 2.5.0 Ok.");
}

#[test]
fn without_a_certificate_starttls_is_454_and_not_offered() {
    let world = World::new(false, "");
    let mut client = world.client();
    client.reply();
    assert!(!client.say("EHLO client.example").contains("STARTTLS"));
    assert_eq!(
        client.say("STARTTLS"),
        "454 4.7.1 TLS library initialization failure"
    );
}

#[test]
fn a_port_that_speaks_tls_switches_channels_as_starttls_does() {
    let files = tempfile::tempdir().unwrap();
    let switch = "<group name=\"channel\" id=\"tcp_local\">\
                  <option name=\"tlsswitchchannel\" type=\"string\">tcp_auth</option></group>";
    let world = World::new(false, &format!("{}{switch}", certificate(files.path())));
    for first in [false, true] {
        let mut client = world.client_of(first);
        if !first {
            client.reply();
            assert!(client.say("STARTTLS").starts_with("220 "));
        }
        let mut wire = Wire::new(client.0.into_inner(), None).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let connector = Connector::opportunistic().unwrap();
        wire.connect_tls(&connector, "mail.example.com", until)
            .unwrap();
        let mut client = SecureClient(wire);
        // Behind the banner, of the port that begins with TLS.
        let mut answer = client.say("MAIL FROM:<a@b.example>");
        if !answer.contains("530 ") {
            answer = client.say("NOOP");
        }
        assert!(
            answer.contains("530 5.7.0 No AUTH command has been given."),
            "{first}: {answer}"
        );
    }
}

#[test]
fn etrn_access_is_asked() {
    let table = "<group name=\"mapping\" id=\"ETRN_ACCESS\"><option name=\"rule\" type=\"rule\">\
                 <pattern>127.0.0.1|#*</pattern><template>$NNot$ for$ you</template></option></group>";
    let world = World::new(false, table);
    let mut client = world.client();
    client.reply();
    assert_eq!(client.say("ETRN #tcp_local"), "550 5.7.1 Not for you");
}

#[test]
fn octets_that_were_not_announced_leave_a_record_of_the_refusal() {
    let strict = "<group name=\"channel\" id=\"tcp_local\">\
                  <option name=\"eightstrict\" type=\"novalue\"/></group>";
    let world = World::new(false, strict);
    let mut client = world.client();
    client.reply();
    client.say("MAIL FROM:<bob@elsewhere.example>");
    client.say("RCPT TO:<ada@example.com>");
    client.say("DATA");
    let answer = client.say("Subject: x\r\n\r\nsch\u{f6}n\r\n.");
    assert!(answer.starts_with("550 5.6.0 "), "{answer}");
    let log = world.log();
    assert!(log.contains(" J"), "{log}");
    assert!(log.contains("rfc822;ada@example.com"), "{log}");
}

#[test]
fn vrfy_and_expn_tell_what_rcpt_would() {
    let world = World::new(false, "");
    let mut client = world.client();
    client.reply();
    client.say("EHLO client.example");
    assert_eq!(
        client.say("VRFY ada@example.com"),
        "250 2.1.5 <ada@example.com> OK."
    );
    assert_eq!(
        client.say("VRFY nobody@example.com"),
        "550 5.1.1 unknown or illegal alias: nobody@example.com"
    );
    assert_eq!(
        client.say("EXPN ada@example.com"),
        "250 2.1.5 <ada@example.com>"
    );
}

#[test]
fn expn_shows_members_wherever_they_are() {
    let list = "\ndn: cn=mixed,o=example.com\nobjectClass: inetMailGroup\n\
                mail: mixed@example.com\nmgrpRFC822MailMember: ada@example.com\n\
                mgrpRFC822MailMember: far@remote.example\n";
    let world = World::with_directory(false, "", &format!("{DIRECTORY}{list}"));
    let mut client = world.client();
    client.reply();
    assert_eq!(
        client.say("EXPN mixed@example.com"),
        "250-2.1.5 <ada@example.com>\n250 2.1.5 <far@remote.example>"
    );
    assert!(
        client
            .say("EXPN nobody@example.com")
            .starts_with("550 5.1.1 ")
    );
}

#[test]
fn a_hundred_clients_are_served_at_the_same_time() {
    let world = World::new(false, "");
    let mut clients: Vec<Client> = (0..100).map(|_| world.client()).collect();
    for client in &mut clients {
        assert!(client.reply().starts_with("220 "));
        client.say("EHLO client.example");
        client.say("MAIL FROM:<bob@elsewhere.example>");
        client.say("RCPT TO:<ada@example.com>");
        client.say("DATA");
        client
            .0
            .get_mut()
            .write_all(b"Subject: x\r\n\r\n.\r\n")
            .unwrap();
    }
    for client in &mut clients {
        assert!(client.reply().starts_with("250 "));
    }
    assert_eq!(world.log().lines().count(), 100);
}

#[test]
fn a_queue_that_fails_is_451_and_leaves_nothing() {
    let world = World::new(false, "");
    fs::write(world.dir.path().join("data/queue/ims-ms"), b"no directory").unwrap();
    let mut client = world.client();
    client.reply();
    client.say("EHLO client.example");
    client.say("MAIL FROM:<bob@elsewhere.example>");
    client.say("RCPT TO:<ada@example.com>");
    client.say("DATA");
    let answer = client.say("Subject: x\r\n\r\nhello\r\n.");
    assert!(answer.starts_with("451 4.3.0 "), "{answer}");
    assert_eq!(client.say("NOOP"), "250 2.5.0 Ok.");
}
