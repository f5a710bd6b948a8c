//! The options of a channel's option file (`channel:NAME.options.*`) that are known, one row
//! each. They are not checked when they are set; this table is for those who list and explain.

use crate::value::Kind::{self, *};

const COUNT: Kind = Integer(0, i64::MAX);

/// What is known about one option of an option file.
#[derive(Debug)]
pub struct FileOption {
    /// Its name, in upper case.
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

macro_rules! file_options {
    ($($name:literal, $kind:expr, $default:literal, $used:ident, $sentence:literal;)*) => {
        /// What is known about each of them. Times are in units of `TIMEOUT_MULTIPLIER` seconds.
        pub static FILE_OPTIONS: &[FileOption] = &[
            $(FileOption {
                name: $name,
                kind: $kind,
                default: $default,
                in_use: crate::value::is_used!($used),
                sentence: $sentence,
            },)*
        ];
    };
}

file_options! {
    "ALLOW_ETRNS_PER_SESSION", COUNT, "1", used, "ETRNs in one session.";
    "ALLOW_RECIPIENTS_PER_TRANSACTION", COUNT, "128", used, "Recipients of one message.";
    "REJECT_RECIPIENTS_PER_TRANSACTION", COUNT, "", used, "Recipients beyond which the whole message is refused.";
    "ALLOW_REJECTIONS_BEFORE_DEFERRAL", COUNT, "", used, "Refused recipients beyond which further ones are deferred.";
    "ALLOW_TRANSACTIONS_PER_SESSION", COUNT, "", used, "Messages in one session.";
    "TRANSACTION_LIMIT_RCPT_TO", Switch, "0", used, "Whether that limit is told at RCPT TO and not at MAIL FROM.";
    "ATTEMPT_TRANSACTIONS_PER_SESSION", COUNT, "", used, "Messages over one outgoing connection.";
    "BANNER_ADDITION", Text, "", used, "Text behind the banner.";
    "BANNER_HOST", Text, "", used, "Host name in the banner, and in our EHLO.";
    "CUSTOM_VERSION_STRING", Text, "", used, "Version text in the banner.";
    "BANNER_PURGE_DELAY", COUNT, "0", used, "Hundredths of a second before the banner in which nothing may arrive.";
    "CHECK_SOURCE", Switch, "1", used, "Whether the peer's real name is noted and the channel switched.";
    "COMMAND_RECEIVE_TIME", Real, "10", used, "Wait for a command.";
    "COMMAND_TRANSMIT_TIME", Real, "10", unused, "Wait while sending a command.";
    "DATA_RECEIVE_TIME", Real, "5", used, "Wait for data.";
    "DATA_TRANSMIT_TIME", Real, "10", unused, "Wait while sending data.";
    "DOT_TRANSMIT_TIME", Real, "10", unused, "Wait while sending the dot.";
    "MAIL_TRANSMIT_TIME", Real, "10", unused, "Wait while sending MAIL FROM.";
    "RCPT_TRANSMIT_TIME", Real, "10", unused, "Wait while sending RCPT TO.";
    "STATUS_DATA_RECEIVE_TIME", Real, "10", unused, "Wait for the answer to the dot.";
    "STATUS_DATA_RECV_PER_ADDR_TIME", Real, "0.083333", unused, "More of it for each recipient.";
    "STATUS_DATA_RECV_PER_BLOCK_TIME", Real, "0.001666", unused, "More of it for each block.";
    "STATUS_DATA_RECV_PER_ADDR_PER_BLOCK_TIME", Real, "0.003333", unused, "More of it for each recipient and block.";
    "STATUS_MAIL_RECEIVE_TIME", Real, "10", unused, "Wait for the answer to MAIL FROM.";
    "STATUS_RCPT_RECEIVE_TIME", Real, "10", unused, "Wait for the answer to RCPT TO.";
    "STATUS_RECEIVE_TIME", Real, "10", unused, "Wait for any other answer.";
    "STATUS_TRANSMIT_TIME", Real, "10", used, "Wait while sending an answer.";
    "TIMEOUT_MULTIPLIER", Real, "60", used, "Seconds in the unit of all times.";
    "SESSION_TIME", Real, "", used, "Longest session.";
    "FAST_SMTP_SESSION_TIME_LIMIT", COUNT, "30", unused, "Seconds after which a vanished client is remembered.";
    "REUSE_TIMED_OUT_TRANSFERS", Switch, "1", unused, "Recognise what such a client sends again.";
    "DISABLE_ADDRESS", Switch, "1", unused, "Whether XADR is off.";
    "DISABLE_CIRCUIT", Switch, "1", unused, "Whether XCIR is off.";
    "DISABLE_EXPAND", Switch, "0", used, "Whether EXPN is off.";
    "DISABLE_GENERAL", Switch, "1", unused, "Whether XGEN is off.";
    "DISABLE_STATUS", Switch, "1", unused, "Whether XSTA is off.";
    "DISABLE_SEND", Switch, "1", unused, "Whether SEND, SAML and SOML are off.";
    "HIDE_VERIFY", Switch, "0", used, "Whether VRFY is answered vaguely.";
    "LOG_BANNER", Switch, "", unused, "Whether records carry the banner.";
    "LOG_TRANSPORTINFO", Switch, "", unused, "Whether records carry the connection.";
    "MAX_CLIENT_THREADS", Integer(1, 1_000), "10", used, "Connections of one client process.";
    "MAX_SERVER_THREADS", COUNT, "", unused, "Without meaning: the Dispatcher decides.";
    "MAX_A_RECORDS", COUNT, "32", unused, "Addresses of one host that are tried.";
    "MAX_MX_RECORDS", COUNT, "32", unused, "MX records that are looked at.";
    "MAX_J_ENTRIES", COUNT, "10", used, "J records of one session.";
    "MAX_B_ENTRIES", COUNT, "10", used, "B records of one session.";
    "MAX_HELO_DOMAIN_LENGTH", COUNT, "", unused, "Longest name in HELO and EHLO.";
    "522_PERMANENT_ERROR_STRING", Text, "", used, "552 texts that are permanent, separated by bars.";
    "IGNORE_BAD_CERT", COUNT, "0", unused, "Whether a bad certificate is accepted.";
    "PROXY_PASSWORD", Secret, "", unused, "Password of XPEHLO proxies.";
    "CACHE_SKIP_MULTIPLIER", Real, "3.0", used, "Factor of the messages skipped after another failure.";
    "AUTH_DEBUG", Text, "", unused, "Debugging of authentication.";
    "TRACE_LEVEL", COUNT, "0", unused, "Trace of what is sent and received.";
    "AUTH_USERNAME", Text, "", unused, "User for AUTH with the remote server.";
    "AUTH_PASSWORD", Secret, "", unused, "Password for AUTH with the remote server.";
    "EXTERNAL_IDENTITY", Text, "", unused, "Identity for AUTH EXTERNAL with the remote server.";
}
