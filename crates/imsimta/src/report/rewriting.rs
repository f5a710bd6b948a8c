//! `test -rewrite`: the long block, then the answer.

use mta_channel::enqueue::Step;
use mta_command::output::visible;
use mta_config::pool::JobControllerOptions;
use mta_config::{Channel as Configured, ChannelOption as Option_};
use mta_envelope::envelope::Priority;
use serde::Serialize;
use std::fmt;

/// A recipient as it would be enqueued.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Recipient {
    pub(crate) channel: String,
    pub(crate) address: String,
    pub(crate) original: String,
    pub(crate) intermediate: String,
    pub(crate) host: String,
    pub(crate) held: Option<String>,
    pub(crate) notify_success: bool,
    pub(crate) notify_failures: bool,
    pub(crate) notify_delays: bool,
}

/// `submitted` and `refused`: the one or the other.
fn outcome<S: serde::Serializer>(
    found: &Result<Vec<Recipient>, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap as _;
    let mut map = serializer.serialize_map(Some(2))?;
    let none: &[Recipient] = &[];
    map.serialize_entry("submitted", found.as_deref().unwrap_or(none))?;
    map.serialize_entry("refused", &found.as_ref().err())?;
    map.end()
}

/// An address of an expansion that cannot be reached, although others can.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Unreachable {
    pub(crate) address: String,
    pub(crate) refusal: String,
}

/// The channel that the forward address matched.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) flags: [Vec<String>; 10],
    pub(crate) line_length: Option<u64>,
    pub(crate) addresses_per_file: Option<u64>,
    /// How routes are written: in envelopes, and in headers.
    pub(crate) address_types: [&'static str; 2],
    pub(crate) official_host: String,
    pub(crate) local_alias: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) pool: String,
    pub(crate) after: Option<String>,
    pub(crate) daemon: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) notices: [Vec<u32>; 3],
    pub(crate) groups: Vec<String>,
}

/// Everything about one address.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) address: String,
    pub(crate) channel: Option<Channel>,
    /// Of the user, of the destination channel, of the source channel.
    pub(crate) filters: [Option<String>; 3],
    pub(crate) backward_channel: Option<String>,
    pub(crate) header_to: String,
    pub(crate) header_from: String,
    pub(crate) envelope_to: String,
    pub(crate) route: Option<[String; 2]>,
    pub(crate) host: Option<String>,
    pub(crate) envelope_from: String,
    /// The display phrase of what was typed.
    pub(crate) name: String,
    pub(crate) mailbox: String,
    #[serde(flatten, serialize_with = "outcome")]
    pub(crate) submitted: Result<Vec<Recipient>, String>,
    /// What `-check_expansions` finds besides.
    pub(crate) unreachable: Vec<Unreachable>,
    pub(crate) steps: Vec<Step>,
    #[serde(skip)]
    pub(crate) with_channel: bool,
    /// Show the filters although the channel is not shown.
    #[serde(skip)]
    pub(crate) with_filters: bool,
}

/// The words that each group shows when they are in force. Of an exclusive pair one is shown.
const FLAGS: [&[(Option_, &str)]; 10] = [
    &[
        (Option_::Bidirectional, "BIDIRECTIONAL"),
        (Option_::Master, "MASTER"),
        (Option_::Slave, "SLAVE"),
        (Option_::Multiple, "MULTIPLE"),
        (Option_::Single, "SINGLE"),
        (Option_::SingleSys, "SINGLE_SYSTEM"),
    ],
    &[
        (Option_::Smtp, "SMTP"),
        (Option_::Lmtp, "LMTP"),
        (Option_::Nosmtp, "NOSMTP"),
        (Option_::Mx, "MX"),
        (Option_::Nomx, "NOMX"),
        (Option_::Randommx, "RANDOMMX"),
        (Option_::Defaultmx, "DEFAULTMX"),
        (Option_::Nodns, "NODNS"),
        (Option_::Maytlsserver, "MAYTLSSERVER"),
        (Option_::Musttlsserver, "MUSTTLSSERVER"),
        (Option_::Maytlsclient, "MAYTLSCLIENT"),
        (Option_::Musttlsclient, "MUSTTLSCLIENT"),
        (Option_::Maysaslserver, "MAYSASLSERVER"),
        (Option_::Mustsaslserver, "MUSTSASLSERVER"),
    ],
    &[
        (Option_::Sendpost, "SENDPOST"),
        (Option_::Copysendpost, "COPYSENDPOST"),
        (Option_::Errsendpost, "ERRSENDPOST"),
        (Option_::Nosendpost, "NOSENDPOST"),
        (Option_::Warnpost, "WARNPOST"),
        (Option_::Copywarnpost, "COPYWARNPOST"),
        (Option_::Errwarnpost, "ERRWARNPOST"),
        (Option_::Nowarnpost, "NOWARNPOST"),
        (Option_::Postheadonly, "POSTHEADONLY"),
        (Option_::Postheadbody, "POSTHEADBODY"),
        (Option_::Exproute, "EXPROUTE"),
        (Option_::Noexproute, "NOEXPROUTE"),
        (Option_::Improute, "IMPROUTE"),
        (Option_::Noimproute, "NOIMPROUTE"),
    ],
    &[
        (Option_::Logging, "LOGGING"),
        (Option_::Nologging, "NOLOGGING"),
        (Option_::Restricted, "RESTRICTED"),
        (Option_::Unrestricted, "NORESTRICTED"),
    ],
    &[
        (Option_::Eightbit, "EIGHTBIT"),
        (Option_::Eightnegotiate, "EIGHTNEGOTIATE"),
        (Option_::Eightstrict, "EIGHTSTRICT"),
        (Option_::Sevenbit, "SEVENBIT"),
        (Option_::Headertrim, "HEADERTRIM"),
        (Option_::Noheadertrim, "NOHEADERTRIM"),
        (Option_::Headerread, "HEADERREAD"),
        (Option_::Noheaderread, "NOHEADERREAD"),
        (Option_::Rules, "RULES"),
        (Option_::Norules, "NORULES"),
    ],
    &[
        (Option_::MasterDebug, "MASTER_DEBUG"),
        (Option_::NomasterDebug, "NOMASTER_DEBUG"),
        (Option_::SlaveDebug, "SLAVE_DEBUG"),
        (Option_::NoslaveDebug, "NOSLAVE_DEBUG"),
    ],
    &[
        (Option_::XEnvTo, "X_ENV_TO"),
        (Option_::NoxEnvTo, "NOX_ENV_TO"),
        (Option_::Viaaliasrequired, "VIAALIASREQUIRED"),
        (Option_::Viaaliasoptional, "VIAALIASOPTIONAL"),
    ],
    &[
        (Option_::Switchchannel, "SWITCHCHANNEL"),
        (Option_::Allowswitchchannel, "ALLOWSWITCHCHANNEL"),
        (Option_::Noswitchchannel, "NOSWITCHCHANNEL"),
        (Option_::Remotehost, "REMOTEHOST"),
        (Option_::Noremotehost, "NOREMOTEHOST"),
        (Option_::Datefour, "DATEFOUR"),
        (Option_::Datetwo, "DATETWO"),
        (Option_::Dayofweek, "DAYOFWEEK"),
        (Option_::Nodayofweek, "NODAYOFWEEK"),
    ],
    &[
        (Option_::Defragment, "DEFRAGMENT"),
        (Option_::Nodefragment, "NODEFRAGMENT"),
        (Option_::Reverse, "REVERSE"),
        (Option_::Noreverse, "NOREVERSE"),
        (Option_::ConvertOctetStream, "CONVERT_OCTET_STREAM"),
        (Option_::NoconvertOctetStream, "NOCONVERT_OCTET_STREAM"),
    ],
    &[
        (Option_::Thurman, "THURMAN"),
        (Option_::Nothurman, "NOTHURMAN"),
        (Option_::Interpretencoding, "INTERPRETENCODING"),
        (Option_::Ignoreencoding, "IGNOREENCODING"),
        (Option_::Includefinal, "INCLUDEFINAL"),
        (Option_::Suppressfinal, "SUPPRESSFINAL"),
        (Option_::Receivedfrom, "RECEIVEDFROM"),
        (Option_::Noreceivedfrom, "NORECEIVEDFROM"),
    ],
];

impl Channel {
    /// What the configuration says of a channel.
    pub(crate) fn of(channel: &Configured, jobs: &JobControllerOptions) -> Self {
        let flags = FLAGS.map(|group| {
            let on = group.iter().filter(|(option, _)| channel.is(*option));
            on.map(|(_, word)| (*word).to_owned()).collect()
        });
        let text = |option| channel.text(option).map(str::to_owned);
        Self {
            name: channel.name().to_string(),
            flags,
            line_length: channel.limit(Option_::Linelength),
            addresses_per_file: channel.limit(Option_::Addrsperfile),
            address_types: [
                route_form(channel, Option_::Percents, Option_::Bangstyle),
                route_form(channel, Option_::Header733, Option_::HeaderUucp),
            ],
            official_host: channel.official_host().to_owned(),
            local_alias: channel.local_alias().map(str::to_owned),
            description: text(Option_::Description),
            pool: jobs.pool_name(channel).to_owned(),
            after: text(Option_::After),
            daemon: text(Option_::Daemon),
            user: text(Option_::User),
            notices: [Priority::Urgent, Priority::Normal, Priority::Nonurgent]
                .map(|priority| channel.notices(priority)),
            groups: channel.group_words().to_vec(),
        }
    }
}

fn route_form(channel: &Configured, percents: Option_, bangs: Option_) -> &'static str {
    if channel.is(percents) {
        "PERCENTS"
    } else if channel.is(bangs) {
        "BANGSTYLE"
    } else {
        "SOURCEROUTE"
    }
}

/// The filters that a channel names.
pub(crate) fn filters(channel: &Configured) -> [Option<String>; 3] {
    [
        Option_::Filter,
        Option_::Destinationfilter,
        Option_::Sourcefilter,
    ]
    .map(|option| channel.text(option).map(str::to_owned))
}

fn write_filters(f: &mut fmt::Formatter<'_>, filters: &[Option<String>; 3]) -> fmt::Result {
    let labels = [
        "channel user filter",
        "dest channel filter",
        "source channel filter",
    ];
    for (label, filter) in labels.iter().zip(filters) {
        line(f, label, some(filter.as_ref()))?;
    }
    Ok(())
}

fn line(f: &mut fmt::Formatter<'_>, label: &str, value: &str) -> fmt::Result {
    writeln!(
        f,
        "{}",
        format!("{label:<22} = {}", visible(value)).trim_end_matches(' ')
    )
}

fn some(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn write_channel(
    f: &mut fmt::Formatter<'_>,
    channel: &Channel,
    filters: &[Option<String>; 3],
) -> fmt::Result {
    line(f, "forward channel", &channel.name)?;
    line(f, "channel description", some(channel.description.as_ref()))?;
    write_filters(f, filters)?;
    for (group, words) in channel.flags.iter().enumerate() {
        line(f, &format!("channel flags #{group}"), &words.join(" "))?;
    }
    line(f, "linelength", &number(channel.line_length))?;
    line(f, "addrsperfile", &number(channel.addresses_per_file))?;
    let [envelope, header] = channel.address_types;
    line(f, "channel env addr type", envelope)?;
    line(f, "channel hdr addr type", header)?;
    line(f, "channel official host", &channel.official_host)?;
    line(f, "channel local alias", some(channel.local_alias.as_ref()))?;
    line(f, "channel queue name", &channel.pool)?;
    line(f, "channel after param", some(channel.after.as_ref()))?;
    line(f, "channel daemon name", some(channel.daemon.as_ref()))?;
    line(f, "channel user name", some(channel.user.as_ref()))?;
    for (label, ages) in ["urgentnotices", "normalnotices", "nonurgentnotices"]
        .iter()
        .zip(&channel.notices)
    {
        let ages: Vec<String> = ages.iter().map(ToString::to_string).collect();
        line(f, label, &ages.join(" "))?;
    }
    line(f, "channel group ids", &channel.groups.join(" "))
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(channel) = &self.channel {
            write_channel(f, channel, &self.filters)?;
        } else if self.with_filters {
            write_filters(f, &self.filters)?;
        }
        if self.with_channel {
            line(f, "backward channel", some(self.backward_channel.as_ref()))?;
        }
        line(f, "header To: address", &self.header_to)?;
        line(f, "header From: address", &self.header_from)?;
        let route = self
            .route
            .as_ref()
            .map_or_else(String::new, |[tag, official]| {
                format!(" (route ({tag},{official}))")
            });
        let host = self
            .host
            .as_ref()
            .map_or_else(String::new, |host| format!(" (host {host})"));
        line(
            f,
            "envelope To: address",
            &format!("{}{route}{host}", self.envelope_to),
        )?;
        line(f, "envelope From: address", &self.envelope_from)?;
        line(f, "name", &self.name)?;
        line(f, "mbox", &self.mailbox)?;
        let address = visible(&self.address);
        writeln!(f, "Extracted address action list:\n  {address}")?;
        writeln!(f, "Extracted 733 address action list:\n  {address}")?;
        if let Ok(recipients) = &self.submitted {
            writeln!(f, "Address list expansion:")?;
            for recipient in recipients {
                writeln!(f, "  {}", visible(&recipient.address))?;
            }
            writeln!(f, "{} expansion total.", recipients.len())?;
            writeln!(f, "Expanded address:\n  {address}")?;
        }
        writeln!(f, "Submitted address list:")?;
        match &self.submitted {
            Ok(recipients) => write_recipients(f, recipients)?,
            Err(refusal) => writeln!(f, "Address list error - {}", visible(refusal))?,
        }
        for Unreachable { refusal, .. } in &self.unreachable {
            writeln!(f, "Address list error - {}", visible(refusal))?;
        }
        writeln!(f, "\nSubmitted notifications list:\n")
    }
}

fn write_recipients(f: &mut fmt::Formatter<'_>, recipients: &[Recipient]) -> fmt::Result {
    let mut shown = "";
    for recipient in recipients {
        if recipient.channel != shown {
            writeln!(f, "  {}", recipient.channel)?;
            shown = &recipient.channel;
        }
        write!(
            f,
            "    {} (orig {}, inter {}, host {})",
            visible(&recipient.address),
            visible(&recipient.original),
            visible(&recipient.intermediate),
            visible(&recipient.host)
        )?;
        if recipient.notify_success {
            write!(f, " *NOTIFY-SUCCESS*")?;
        }
        if recipient.notify_failures {
            write!(f, " *NOTIFY-FAILURES*")?;
        }
        if recipient.notify_delays {
            write!(f, " *NOTIFY-DELAYS*")?;
        }
        if let Some(reason) = &recipient.held {
            write!(f, " *HELD* ({})", visible(reason))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(submitted: Result<Vec<Recipient>, String>) -> View {
        View {
            address: "bob@example.com".into(),
            channel: None,
            filters: [None, None, None],
            backward_channel: Some("tcp_local".into()),
            header_to: "bob@example.com".into(),
            header_from: "bob@example.com".into(),
            envelope_to: "bob@example.com".into(),
            route: Some(["tcp-daemon".into(), "tcp-daemon".into()]),
            host: Some("example.com".into()),
            envelope_from: "bob@example.com".into(),
            name: String::new(),
            mailbox: "bob".into(),
            submitted,
            unreachable: Vec::new(),
            steps: Vec::new(),
            with_channel: true,
            with_filters: false,
        }
    }

    #[test]
    fn the_phrase_and_the_filters_have_their_lines() {
        let mut view = view(Ok(Vec::new()));
        view.name = "Bob B.".into();
        view.filters = [None, Some("file:/f".into()), None];
        assert!(!view.to_string().contains("filter"));
        view.with_filters = true;
        let text = view.to_string();
        assert!(
            text.starts_with(
                "channel user filter    =\ndest channel filter    = file:/f\nsource channel filter  =\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("\nname                   = Bob B.\n"),
            "{text}"
        );
    }

    #[test]
    fn the_answer_names_channel_and_recipient() {
        let recipient = Recipient {
            channel: "tcp_local".into(),
            address: "bob@example.com".into(),
            original: "bob@example.com".into(),
            intermediate: "bob@example.com".into(),
            host: "example.com".into(),
            held: None,
            notify_success: false,
            notify_failures: true,
            notify_delays: true,
        };
        let text = view(Ok(vec![recipient])).to_string();
        assert!(
            text.starts_with(
                "backward channel       = tcp_local\nheader To: address     = bob@example.com\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("\nname                   =\nmbox                   = bob\n"),
            "{text}"
        );
        assert!(text.contains("\nenvelope To: address   = bob@example.com (route (tcp-daemon,tcp-daemon)) (host example.com)\n"), "{text}");
        assert!(text.ends_with(
            "Submitted address list:\n  tcp_local\n    bob@example.com (orig bob@example.com, inter bob@example.com, \
             host example.com) *NOTIFY-FAILURES* *NOTIFY-DELAYS*\n\nSubmitted notifications list:\n\n"
        ), "{text}");
    }

    #[test]
    fn a_refusal_stands_where_the_channel_would() {
        let text = view(Err("5.7.1 Go away!: mallory@example.net".into())).to_string();
        assert!(text.ends_with(
            "Submitted address list:\nAddress list error - 5.7.1 Go away!: mallory@example.net\n\nSubmitted notifications list:\n\n"
        ), "{text}");
    }
}
