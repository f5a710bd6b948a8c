//! The options that have no table of their own: those of `base`, the Dispatcher, the Job
//! Controller, the scheduler and the aliases, one row each.

use crate::value::Kind::{self, *};

const SWITCH: Kind = Switch;
const ANY: Kind = Integer(i64::MIN, i64::MAX);
const COUNT: Kind = Integer(0, i64::MAX);
const FEW: Kind = Integer(0, 100_000);

/// What is known about one option of a group.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What holds when it is not set; empty for nothing.
    pub default: &'static str,
    /// Whether any code uses it.
    pub in_use: bool,
    /// What it means.
    pub sentence: &'static str,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $table:ident { $($name:literal, $kind:expr, $default:literal, $used:ident, $sentence:literal;)* })*) => {
        $($(#[$doc])* pub static $table: &[Field] = &[
            $(Field {
                name: $name,
                kind: $kind,
                default: $default,
                in_use: crate::value::is_used!($used),
                sentence: $sentence,
            },)*
        ];)*
    };
}

fields! {
    /// `base.*`.
    BASE {
        "hostname", Text, "", used, "Name of this host; what `&/IMTA_HOST/` stands for.";
        "defaultdomain", Text, "", used, "Domain of bare addresses; what `&/IMTA_DEFAULTDOMAIN/` stands for.";
        "listenaddr", Interface, "", used, "Address that services bind when they name none.";
        "ugldaphost", Text, "", unused, "Directory servers.";
        "ugldapport", Integer(1, 65_535), "389", unused, "Port of the directory servers.";
        "ugldapbinddn", Text, "", unused, "Name under which the directory is asked.";
        "ugldapbindcred", Secret, "", unused, "Password of that name.";
        "ugldapbasedn", Text, "", unused, "Where users are searched for.";
        "dcroot", Text, "", unused, "Where domains are searched for.";
    }

    /// `base.*` in `restricted.cnf`.
    RESTRICTED {
        "user", Text, "mailsrv", used, "The server user.";
        "group", Text, "", used, "The server group; the user's primary one when unset.";
        "noprivuser", Text, "", unused, "Unprivileged user of site programs.";
    }

    /// `dispatcher.*`; those of a service stand here as defaults for all.
    DISPATCHER {
        "debug", ANY, "0", used, "Debug mask; -1 for all.";
        "historical_time", COUNT, "120", unused, "Seconds for which the past stays in the statistics.";
        "use_nslog", SWITCH, "0", unused, "Log through the common facility.";
    }

    /// `dispatcher.service:NAME.*`.
    SERVICE {
        "enable", SWITCH, "1", used, "Whether the service is started.";
        "tcp_ports", Ports, "", used, "Ports that begin in clear.";
        "ssl_ports", Ports, "", used, "Ports that begin with TLS.";
        "tls_ports", Ports, "", used, "Another name of ssl_ports.";
        "interface_address", Interface, "", used, "Address to bind.";
        "image", Text, "", used, "The program that serves it.";
        "logfilename", Text, "", used, "The program's log.";
        "parameter", Text, "", used, "A string for the program, for example CHANNEL=tcp_submit.";
        "min_procs", FEW, "0", used, "Processes that are always there.";
        "max_procs", Integer(1, 100_000), "5", used, "Most processes.";
        "min_conns", Integer(1, 1_000_000), "5", used, "Connections at which a process is busy enough to start another.";
        "max_conns", Integer(1, 1_000_000), "20", used, "Most connections in one process.";
        "max_life_time", Integer(1, i64::MAX), "86400", used, "Seconds a process gets connections.";
        "max_life_conns", Integer(1, i64::MAX), "100", used, "Connections a process gets.";
        "max_idle_time", Integer(1, i64::MAX), "600", used, "Seconds an idle process that is one too many stays.";
        "max_shutdown", Integer(1, 100_000), "2", used, "Most processes that retire at once.";
        "max_handoffs", Integer(1, 100_000), "5", used, "Hand-overs under way at once.";
        "backlog", Integer(1, 1_000_000), "", used, "Length of the listen queue; max_conns times max_procs, at least 5, when unset.";
        "ident", SWITCH, "0", unused, "Ask for the peer's user name.";
        "dns_verify_domain", Texts(1, 5), "", unused, "DNS lists asked about the client.";
        "enable_rbl", SWITCH, "0", unused, "Without meaning.";
        "stacksize", Integer(65_536, 1_073_741_824), "", unused, "Stack of a connection's thread.";
        "user", Text, "", used, "Must be the server user.";
        "debug", ANY, "0", used, "Debug mask of the server processes; -1 for all.";
    }

    /// `job_controller.*`.
    JOB_CONTROLLER {
        "debug", ANY, "0", used, "Debug mask; -1 for all.";
        "max_cache_messages", Integer(10, i64::MAX), "100000", used, "Most messages kept in the queue cache.";
        "synch_time", SynchTime, "04:00", used, "When the queue directories are scanned.";
        "rebuild_parallel_channel", Integer(1, 1_000), "12", used, "Channel directories scanned at once.";
        "rebuild_parallel_channels", Integer(1, 1_000), "12", used, "Another name of rebuild_parallel_channel.";
        "use_nslog", SWITCH, "0", unused, "Log through the common facility.";
        "tcp_ports", Ports, "27442", unused, "Without effect: the control socket is a file.";
        "secret", Secret, "", unused, "Without effect: the peer's user is checked.";
        "listenaddr", Interface, "", unused, "Without effect: the control socket is a file.";
        "stressblackout", COUNT, "60", used, "Seconds between reports of stress that count.";
        "stressfactor", Integer(1, 1_000), "5", used, "Factor of threaddepth under stress.";
        "stressjobs", FEW, "2", used, "Jobs fewer under stress.";
        "stresstime", COUNT, "120", used, "Seconds without report after which stress is taken back.";
        "unstressfactor", Integer(1, 1_000), "5", used, "Divisor of threaddepth when stress is taken back.";
        "unstressjobs", FEW, "2", used, "Jobs more when stress is taken back.";
        "unstresstime", COUNT, "120", used, "Seconds between the steps back.";
        "urgent_delivery", Windows, "", used, "When urgent messages are tried.";
        "normal_delivery", Windows, "", used, "When normal messages are tried.";
        "nonurgent_delivery", Windows, "", used, "When all others are tried.";
    }

    /// `job_controller.job_pool:NAME.*`.
    POOL {
        "job_limit", Integer(0, 100_000), "10", used, "Most processes at once.";
        "urgent_delivery", Windows, "", used, "When urgent messages are tried.";
        "normal_delivery", Windows, "", used, "When normal messages are tried.";
        "nonurgent_delivery", Windows, "", used, "When all others are tried.";
    }

    /// `job_controller.channel_class:PATTERN.*`.
    CLASS {
        "master_command", Text, "", used, "The program that dequeues.";
        "slave_command", Text, "", unused, "The program that polls for incoming mail.";
        "max_life_time", Integer(1, i64::MAX), "1800", used, "Seconds after which a job is told to end.";
        "max_life_askwork", Integer(1, i64::MAX), "300", used, "Requests for work after which a job is told to end.";
        "anon_host", SWITCH, "", used, "Whether all hosts share one queue; 0 for tcp_*, else 1, when unset.";
        "urgent_delivery", Windows, "", used, "When urgent messages are tried.";
        "normal_delivery", Windows, "", used, "When normal messages are tried.";
        "nonurgent_delivery", Windows, "", used, "When all others are tried.";
    }

    /// `schedule.*`.
    SCHEDULE {
        "enable", SWITCH, "1", used, "Whether start-msg starts the scheduler.";
    }

    /// `schedule.task:NAME.*`.
    TASK {
        "crontab", Crontab, "", used, "Minute, hour, day of month, month, day of week, command.";
        "enable", SWITCH, "1", used, "Whether the task runs.";
    }

    /// `watcher.*`.
    WATCHER {
        "enable", SWITCH, "1", unused, "Whether start-msg starts the watcher.";
    }

    /// `channel:NAME.*` beside the channel options.
    CHANNEL {
        "official_host_name", Text, "", used, "Host name by which rewriting selects the channel.";
        "local_host_alias", Text, "", used, "Name this machine uses toward the channel.";
        "additional_host_names", Text, "", used, "A further host name, and its proper name if it has one; repeats.";
        "group_ids", Text, "", used, "Groups that may enqueue to the channel.";
    }

    /// `alias:NAME.*`.
    ALIAS {
        "alias_entry", Text, "", used, "What the alias stands for; repeats.";
        "alias_and", Text, "", used, "Access checks must all agree.";
        "alias_or", Text, "", used, "One access check is enough.";
        "alias_auth_list", Text, "", used, "Who may post, by file or URL.";
        "alias_cant_list", Text, "", used, "Who may not post, by file or URL.";
        "alias_username_auth_list", Text, "", used, "Users who may post, by file or URL.";
        "alias_username_cant_list", Text, "", used, "Users who may not post, by file or URL.";
        "alias_auth_mapping", Text, "", used, "Who may post, by mapping table.";
        "alias_cant_mapping", Text, "", used, "Who may not post, by mapping table.";
        "alias_auth_channel", Text, "", used, "Source channels that may post.";
        "alias_cant_channel", Text, "", used, "Source channels that may not post.";
        "alias_auth_username", Text, "", used, "Users who may post.";
        "alias_cant_username", Text, "", used, "Users who may not post.";
        "alias_sasl_auth_list", Text, "", used, "Who may post when authenticated, by file or URL.";
        "alias_sasl_auth_mapping", Text, "", used, "Who may post when authenticated, by mapping table.";
        "alias_sasl_cant_list", Text, "", used, "Who may not post when authenticated, by file or URL.";
        "alias_sasl_cant_mapping", Text, "", used, "Who may not post when authenticated, by mapping table.";
        "alias_sasl_moderator_list", Text, "", used, "Authenticated moderators, by file or URL.";
        "alias_sasl_moderator_mapping", Text, "", used, "Authenticated moderators, by mapping table.";
        "alias_moderator_address", Text, "", used, "Where postings of others go.";
        "alias_moderator_list", Text, "", used, "Moderators, by file or URL.";
        "alias_moderator_mapping", Text, "", used, "Moderators, by mapping table.";
        "alias_blocklimit", COUNT, "", used, "Largest posting, in blocks.";
        "alias_linelimit", COUNT, "", used, "Largest posting, in lines.";
        "alias_hold_list", Text, "", used, "Whose postings are held, by file or URL.";
        "alias_nohold_list", Text, "", used, "Whose postings are not held, by file or URL.";
        "alias_hold_mapping", Text, "", used, "Whose postings are held, by mapping table.";
        "alias_nohold_mapping", Text, "", used, "Whose postings are not held, by mapping table.";
        "alias_envelope_from", Text, "", used, "Envelope From of what goes to the members.";
        "alias_error_text", Text, "", used, "Text of refused postings.";
        "alias_delay_notifications", Flag, "", used, "Ask for notices of delay.";
        "alias_nodelay_notifications", Flag, "", used, "Ask for no notices of delay.";
        "alias_expandable", Flag, "", used, "Members may be shown.";
        "alias_nonexpandable", Flag, "", used, "Members may not be shown.";
        "alias_importance", Text, "", used, "Importance: of what goes to the members.";
        "alias_precedence", Text, "", used, "Precedence: of what goes to the members.";
        "alias_priority", Text, "", used, "Priority: of what goes to the members.";
        "alias_sensitivity", Text, "", used, "Sensitivity: of what goes to the members.";
        "alias_header_addition", Text, "", used, "File of header fields to add.";
        "alias_header_alias", Flag, "", unused, "Header addresses show the alias.";
        "alias_header_expansion", Flag, "", unused, "Header addresses show the members.";
        "alias_originator_reply", Flag, "", used, "Replies go to the originator.";
        "alias_reply_to", Text, "", used, "Reply-To: of what goes to the members.";
        "alias_errors_to", Text, "", used, "Errors-To: of what goes to the members.";
        "alias_warnings_to", Text, "", used, "Warnings-To: of what goes to the members.";
        "alias_comments", Text, "", used, "Comments: of what goes to the members.";
        "alias_keep_delivery", Flag, "", unused, "Delivery receipts are kept.";
        "alias_keep_read", Flag, "", unused, "Read receipts are kept.";
        "alias_receivedfor", Flag, "", unused, "Received lines name the recipient.";
        "alias_noreceivedfor", Flag, "", unused, "Received lines do not name the recipient.";
        "alias_receivedfrom", Flag, "", unused, "Received lines name the envelope From.";
        "alias_noreceivedfrom", Flag, "", unused, "Received lines do not name the envelope From.";
        "alias_filter", Text, "", unused, "Filter of the alias.";
        "alias_conversion_tag", Text, "", used, "Conversion tag of the alias.";
        "alias_tag", Text, "", used, "Text in front of Subject:.";
        "alias_prefix_text", Text, "", unused, "Text in front of postings.";
        "alias_suffix_text", Text, "", unused, "Text behind postings.";
        "alias_private", Flag, "", unused, "The alias is not shown.";
        "alias_public", Flag, "", unused, "The alias is shown.";
    }
}
