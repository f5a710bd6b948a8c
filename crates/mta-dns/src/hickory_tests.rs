//! Questions to a name server on loopback that answers, refuses, or says nothing.

use std::net::UdpSocket;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR};

use super::*;
use crate::route::{Options, RouteError, route};

/// Answers from a fixed zone until the process ends.
fn server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((got, from)) = socket.recv_from(&mut buffer) {
            if let Some(reply) = answer(&buffer[..got]) {
                // A resolver that has gone away needs none.
                drop(socket.send_to(&reply, from));
            }
        }
    });
    address
}

fn answer(bytes: &[u8]) -> Option<Vec<u8>> {
    let request = Message::from_vec(bytes).ok()?;
    let query = request.queries.first()?.clone();
    let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
    reply.metadata.recursion_desired = request.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_query(query.clone());
    let name = query.name().to_ascii().to_ascii_lowercase();
    let (code, records) = zone(&name, query.query_type())?;
    reply.metadata.response_code = code;
    for data in records {
        reply.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    }
    reply.to_vec().ok()
}

fn zone(name: &str, kind: RecordType) -> Option<(ResponseCode, Vec<RData>)> {
    let host = |text: &str| Name::from_ascii(text).unwrap();
    let none = || (ResponseCode::NoError, Vec::new());
    let some = |data| (ResponseCode::NoError, vec![data]);
    Some(match (name, kind) {
        ("example.com.", RecordType::MX) => (
            ResponseCode::NoError,
            vec![
                RData::MX(MX::new(20, host("b.example.com."))),
                RData::MX(MX::new(10, host("a.example.com."))),
            ],
        ),
        ("a.example.com.", RecordType::A) => some(RData::A(A::new(192, 0, 2, 1))),
        ("a.example.com.", RecordType::AAAA) => {
            some(RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)))
        }
        ("b.example.com.", RecordType::A) => some(RData::A(A::new(192, 0, 2, 2))),
        ("b.example.com.", _) => none(),
        ("null.example.", RecordType::MX) => some(RData::MX(MX::new(0, Name::root()))),
        ("plain.example.", RecordType::A) => some(RData::A(A::new(192, 0, 2, 3))),
        ("plain.example." | "empty.example.", _) => none(),
        ("odd.example.", RecordType::A) => some(RData::CNAME(CNAME(host("odd.example.")))),
        ("servfail.example.", _) => (ResponseCode::ServFail, Vec::new()),
        ("refused.example.", _) => (ResponseCode::Refused, Vec::new()),
        ("silent.example.", _) => return None,
        ("1.2.0.192.in-addr.arpa.", RecordType::PTR) => {
            some(RData::PTR(PTR(host("a.example.com."))))
        }
        ("9.2.0.192.in-addr.arpa.", RecordType::PTR) => some(RData::PTR(PTR(bad_name()))),
        _ => (ResponseCode::NXDomain, Vec::new()),
    })
}

/// A name with a blank in a label, as only a malicious zone has it.
fn bad_name() -> Name {
    Name::from_labels([b"bad name".as_slice(), b"example"]).unwrap()
}

fn dns(server: SocketAddr) -> Dns {
    Dns::new(Settings {
        nameservers: vec![server],
        timeout: Duration::from_millis(300),
        attempts: 1,
        deadline: Duration::from_secs(3),
        cache_size: 16,
    })
}

#[test]
fn no_such_name_no_record_and_no_answer_are_three_things() {
    let dns = dns(server());
    assert_eq!(dns.mx("missing.example"), Err(Failure::NoSuchName));
    assert_eq!(dns.mx("empty.example"), Err(Failure::NoRecords));
    assert_eq!(dns.addresses("empty.example"), Err(Failure::NoRecords));
    for name in ["servfail.example", "refused.example", "silent.example"] {
        assert!(matches!(dns.mx(name), Err(Failure::Temporary(_))), "{name}");
        let addresses = dns.addresses(name);
        assert!(matches!(addresses, Err(Failure::Temporary(_))), "{name}");
    }
    assert_eq!(dns.mx(&"x".repeat(70)), Err(Failure::NoSuchName));
}

#[test]
fn routes_come_out_of_real_answers() {
    let dns = dns(server());
    let ask = |name| route(name, &Options::default(), &dns, &mut || 0);
    let exchanges = ask("example.com").unwrap();
    let hosts: Vec<&str> = exchanges.iter().map(|e| e.host.as_str()).collect();
    assert_eq!(hosts, ["a.example.com", "b.example.com"]);
    let both: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    assert_eq!(exchanges[0].addresses, both);
    assert_eq!(ask("plain.example").unwrap()[0].host, "plain.example");
    assert!(matches!(
        ask("null.example"),
        Err(RouteError::NullMx { .. })
    ));
    assert!(matches!(
        ask("missing.example"),
        Err(RouteError::NoSuchDomain { .. })
    ));
    assert!(matches!(
        ask("silent.example"),
        Err(RouteError::Temporary { .. })
    ));
}

#[test]
fn a_name_server_that_is_not_there_is_temporary_and_takes_bounded_time() {
    // The port is free: the socket that had it is gone.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let gone = socket.local_addr().unwrap();
    drop(socket);
    let dns = dns(gone);
    let start = Instant::now();
    assert!(matches!(dns.mx("example.com"), Err(Failure::Temporary(_))));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn addresses_have_names_that_are_host_names() {
    let dns = dns(server());
    let names = |ip: &str| dns.names_within(ip.parse().unwrap(), Duration::from_secs(2));
    assert_eq!(names("192.0.2.1"), Ok(vec!["a.example.com".to_owned()]));
    assert_eq!(
        names("::ffff:192.0.2.1"),
        Ok(vec!["a.example.com".to_owned()])
    );
    assert_eq!(names("192.0.2.9"), Err(Failure::NoRecords));
    assert_eq!(names("192.0.2.77"), Err(Failure::NoSuchName));
}

#[test]
fn several_threads_may_ask_at_once() {
    let dns = dns(server());
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| dns.mx("example.com").map(|mx| mx.len())))
            .collect();
        for handle in handles {
            assert_eq!(handle.join().unwrap(), Ok(2));
        }
    });
}

#[test]
fn a_resolver_that_could_not_be_set_up_is_tried_again() {
    let dns = Dns::new(Settings {
        nameservers: vec![server()],
        ..Settings::default()
    });
    let text = "too many open files".to_owned();
    let failed = dns.parts_from(|_| Err(OpenError::Start { text }));
    assert!(failed.is_err());
    dns.open().unwrap();
    dns.parts_from(|_| unreachable!("it stands")).unwrap();
}
