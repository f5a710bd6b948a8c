//! What is said to the client, and of it, in words that come from elsewhere.

use mta_envelope::status::Status;
use mta_smtp::reply::{Refusal, Reply};
use mta_smtp::server::Closed;

/// A refusal of the enqueue path in the machine's words.
pub(super) fn said(refusal: mta_channel::enqueue::Refusal) -> Refusal {
    let close = refusal.close;
    let said = Refusal::new(refusal.code, refusal.status, refusal.text);
    if close { said.and_close() } else { said }
}

/// What PORT_ACCESS wants said before the connection is closed: `~` separates lines.
pub(super) fn port_refusal(text: &str) -> Refusal {
    let mut lines = text.split('~').map(str::trim);
    let first = lines.next().unwrap_or_default();
    let code = first.get(..3).and_then(|code| code.parse::<u16>().ok());
    let (code, rest) = match code.filter(|code| (400..600).contains(code)) {
        Some(code) => (code, first[3..].trim_start_matches(['-', ' '])),
        None => (500, first),
    };
    let (status, rest) = match Status::parse_prefix(rest) {
        Some((status, rest)) => (Some(status), rest),
        None => (None, rest),
    };
    let mut texts = vec![rest.to_owned()];
    texts.extend(lines.map(|line| {
        let line = line
            .strip_prefix(first.get(..3).unwrap_or(""))
            .unwrap_or(line);
        line.trim_start_matches(['-', ' ']).to_owned()
    }));
    Refusal {
        reply: Reply {
            code,
            status,
            lines: texts,
        },
        close: true,
    }
}

/// Why a session ended, for its `C` record; nothing to say about a QUIT.
pub(super) fn ending(reason: &Closed) -> Option<String> {
    Some(match reason {
        Closed::Quit => return None,
        Closed::Refused(reply) => format!("Session disconnected: {}", reply.one_line()),
        Closed::CommandTimeout => "Timeout while waiting for command".to_owned(),
        Closed::DataTimeout => "Timeout while receiving message data".to_owned(),
        Closed::TransmitTimeout => "Timeout while sending a reply".to_owned(),
        Closed::PeerGone => "Connection closed by client".to_owned(),
        Closed::Shutdown => "Server process is shutting down".to_owned(),
        Closed::TlsFailed(text) => format!("TLS failed: {text}"),
        Closed::Io(text) => format!("Connection broken: {text}"),
        Closed::Flood => "Too much data for a refused command or message".to_owned(),
        Closed::Panic => "Internal error".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::port_refusal;

    #[test]
    fn port_access_texts_become_replies() {
        let table = [
            ("400 can't connect now", "400 can't connect now\r\n"),
            ("500 5.7.1 access denied", "500 5.7.1 access denied\r\n"),
            ("go away", "500 go away\r\n"),
            ("554 one~554 two", "554-one\r\n554 two\r\n"),
            ("zu\u{e4}~zu\u{e4}", "500-zu\u{e4}\r\n500 zu\u{e4}\r\n"),
        ];
        for (text, wire) in table {
            let refusal = port_refusal(text);
            let mut octets = Vec::new();
            refusal.reply.write(&mut octets);
            assert_eq!(String::from_utf8(octets).unwrap(), wire, "{text}");
            assert!(refusal.close);
        }
    }
}
