//! The channel options, one row each.
//!
//! The words of one exclusive group contradict one another: the last one said wins, and the one
//! marked `default` holds when none was said. A word with members in its last bracket is short
//! for setting these. The mark behind the bracket says whether any code uses the option; a test
//! compares the marks with the sources.

use crate::value::Kind::{self, *};

const COUNT: Kind = Integer(0, i64::MAX);
const LIMIT: Kind = Integer(0, i64::MAX);

macro_rules! is_default {
    (default) => {
        true
    };
    (other) => {
        false
    };
}

macro_rules! channel_options {
    ($($variant:ident $name:literal [$($alias:literal),*], $kind:expr, $group:literal $default:ident
        [$($member:ident),*], $used:ident, $sentence:literal;)*) => {
        /// An option of one channel (`channel:NAME.OPTION`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ChannelOption {
            $(#[doc = $sentence] $variant,)*
        }

        /// What is known about each channel option, in the order of [`ChannelOption`].
        pub static ROWS: &[Row] = &[
            $(Row {
                option: ChannelOption::$variant,
                name: $name,
                aliases: &[$($alias),*],
                kind: $kind,
                group: $group,
                group_default: is_default!($default),
                short_for: &[$(ChannelOption::$member),*],
                in_use: crate::value::is_used!($used),
                sentence: $sentence,
            },)*
        ];
    };
}

/// What is known about one channel option.
#[derive(Debug)]
pub struct Row {
    /// Which option this is.
    pub option: ChannelOption,
    /// Its name.
    pub name: &'static str,
    /// Other names of the same.
    pub aliases: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
    /// The exclusive group it belongs to; empty for none.
    pub group: &'static str,
    /// Whether it holds when no word of its group was said.
    pub group_default: bool,
    /// The options it is short for.
    pub short_for: &'static [ChannelOption],
    /// Whether any code uses it.
    pub in_use: bool,
    /// What it means.
    pub sentence: &'static str,
}

channel_options! {

    // Addresses and envelope rewriting.
    Sourceroute "sourceroute" ["822"], Flag, "route form" default [], unused, "Envelope routes are written as source routes.";
    Percents "percents" ["733"], Flag, "route form" other [], unused, "Envelope routes are written as `user%b@a`.";
    Bangstyle "bangstyle" ["uucp"], Flag, "route form" other [], unused, "Envelope routes are written as `a!b!user`.";
    Header822 "header_822" [], Flag, "header route form" default [], unused, "Header routes are written as source routes.";
    Header733 "header_733" [], Flag, "header route form" other [], unused, "Header routes are written as `user%b@a`.";
    HeaderUucp "header_uucp" [], Flag, "header route form" other [], unused, "Header routes are written as `a!b!user`.";
    Bangoverpercent "bangoverpercent" [], Flag, "bang order" other [], used, "`a!b%c` is `a!(b%c)`.";
    Nobangoverpercent "nobangoverpercent" [], Flag, "bang order" default [], used, "`a!b%c` is `(a!b)%c`.";
    Exproute "exproute" [], Flag, "explicit route" other [], used, "Addresses for remote systems get an explicit route through this host.";
    Noexproute "noexproute" [], Flag, "explicit route" default [], used, "Addresses get no explicit route.";
    Improute "improute" [], Flag, "implicit route" other [], used, "All addresses of the channel get the route.";
    Noimproute "noimproute" [], Flag, "implicit route" default [], used, "Addresses get no implicit route.";
    Routelocal "routelocal" [], Flag, "" other [], used, "Explicit routes that lead to this host are short-circuited.";
    DequeueRemoveroute "dequeue_removeroute" [], Flag, "" other [], used, "Source routes are dropped from the envelope To when dequeuing.";
    Defaulthost "defaulthost" [], Texts(1, 2), "default host" other [], used, "Names that complete an address without domain; the second for envelope recipients.";
    Nodefaulthost "nodefaulthost" [], Flag, "default host" default [], used, "Addresses without domain get the local host's name.";
    Remotehost "remotehost" [], Flag, "remote host" other [], used, "Addresses without domain get the connecting host's name.";
    Noremotehost "noremotehost" [], Flag, "remote host" default [], used, "Addresses without domain get the local host's name.";
    Missingrecipientpolicy "missingrecipientpolicy" [], Integer(0, 6), "" other [], used, "What a message without recipient header gets.";
    Restricted "restricted" [], Flag, "quoting" other [], used, "Odd mailboxes are quoted as in RFC 1137.";
    Unrestricted "unrestricted" ["norestricted"], Flag, "quoting" default [], used, "Odd mailboxes stay as they are.";
    Reverse "reverse" [], Flag, "reversal" default [], used, "Addresses in messages to the channel are reversed.";
    Noreverse "noreverse" [], Flag, "reversal" other [], used, "Addresses in messages to the channel are not reversed.";
    Rules "rules" [], Flag, "rule checks" default [], used, "Channel-specific rewrite rules are honoured.";
    Norules "norules" [], Flag, "rule checks" other [], used, "Channel-specific rewrite rules are not honoured.";
    Aliaslocal "aliaslocal" [], Flag, "" other [], used, "Addresses of the channel are looked up as aliases.";
    Aliasmagic "aliasmagic" [], Integer(0, 99_999_999), "" other [], used, "Order of the alias sources for the channel.";
    Viaaliasoptional "viaaliasoptional" [], Flag, "alias need" default [], used, "Addresses need not come from an alias.";
    Viaaliasrequired "viaaliasrequired" [], Flag, "alias need" other [], used, "Only addresses that came from an alias are legal.";
    Aliasdetourhost "aliasdetourhost" [], Text, "" other [], unused, "Host to which accepted addresses go before expansion.";
    Aliasoptindetourhost "aliasoptindetourhost" [], Text, "" other [], unused, "The same, for users who opt in.";
    Subaddressexact "subaddressexact" [], Flag, "subaddress" other [], used, "An alias must match user and subaddress.";
    Subaddresswild "subaddresswild" [], Flag, "subaddress" other [], used, "An alias may match `user+*`.";
    Subaddressrelaxed "subaddressrelaxed" [], Flag, "subaddress" default [], used, "An alias may match the user alone.";
    Acceptvalidaddresses "acceptvalidaddresses" [], Flag, "recipient check" default [], used, "Recipients are checked in the dialogue.";
    Acceptalladdresses "acceptalladdresses" [], Flag, "recipient check" other [], used, "Every recipient is accepted, and bounced later.";
    Defertemporaryfailures "defertemporaryfailures" [], Flag, "recipient trouble" default [], used, "Temporary recipient errors are answered 4yz.";
    Accepttemporaryfailures "accepttemporaryfailures" [], Flag, "recipient trouble" other [], used, "Recipients with temporary errors go to reprocess.";
    Authrewrite "authrewrite" [], Integer(0, 63), "" other [], used, "How the authenticated address shows in the header.";
    Connectalias "connectalias" [], Flag, "connection name" default [], unused, "Connections go to the host as given.";
    Connectcanonical "connectcanonical" [], Flag, "connection name" other [], unused, "Connections go to the host's name in the channel table.";
    Multigate "multigate" [], Flag, "multigate" other [], unused, "Mail goes to the host named in the address.";
    Nomultigate "nomultigate" [], Flag, "multigate" default [], unused, "Mail goes to the official host.";
    Inner "inner" [], Flag, "inner" other [], unused, "Headers of embedded messages are rewritten, too.";
    Noinner "noinner" [], Flag, "inner" default [], unused, "Headers of embedded messages are left alone.";
    Innertrim "innertrim" [], Flag, "inner trim" other [], unused, "Headers of embedded messages are trimmed, too.";
    Noinnertrim "noinnertrim" [], Flag, "inner trim" default [], unused, "Headers of embedded messages are not trimmed.";
    Usereplyto "usereplyto" [], Integer(-1, 1), "" other [], unused, "How Reply-To is mapped for gateways.";
    Useresent "useresent" [], Integer(-1, 1), "" other [], unused, "How Resent- fields are mapped for gateways.";
    Addresssrs "addresssrs" [], Flag, "srs address" other [], unused, "Sender addresses of the channel may be encoded.";
    Noaddresssrs "noaddresssrs" [], Flag, "srs address" default [], unused, "Sender addresses of the channel are not encoded.";
    Destinationsrs "destinationsrs" [], Flag, "srs destination" other [], unused, "Sender addresses are encoded for the channel.";
    Nodestinationsrs "nodestinationsrs" [], Flag, "srs destination" default [], unused, "Sender addresses are not encoded for the channel.";
    Sourcesrs "sourcesrs" [], Flag, "srs source" other [], unused, "Sender addresses are encoded when mail comes from the channel.";
    Nosourcesrs "nosourcesrs" [], Flag, "srs source" default [], unused, "Sender addresses are not encoded when mail comes from the channel.";
    Headerdecodesrs "headerdecodesrs" [], Flag, "srs header" other [], unused, "Encoded addresses in headers are decoded.";
    Noheaderdecodesrs "noheaderdecodesrs" [], Flag, "srs header" default [], unused, "Encoded addresses in headers stay.";
    XEnvTo "x_env_to" [], Flag, "x-env-to" other [], used, "X-Envelope-to: is added.";
    NoxEnvTo "nox_env_to" [], Flag, "x-env-to" default [], used, "X-Envelope-to: is not added.";

    // Header lines.
    Headertrim "headertrim" [], Flag, "header trim" other [], used, "Outgoing headers are trimmed by the channel's option file.";
    Noheadertrim "noheadertrim" [], Flag, "header trim" default [], used, "Outgoing headers are not trimmed.";
    Headerread "headerread" [], Flag, "header read" other [], used, "Incoming headers are trimmed by the channel's option file.";
    Noheaderread "noheaderread" [], Flag, "header read" default [], used, "Incoming headers are not trimmed.";
    Maxheaderaddrs "maxheaderaddrs" [], LIMIT, "" other [], unused, "Addresses on one header line.";
    Maxheaderchars "maxheaderchars" [], LIMIT, "" other [], unused, "Characters on one header line.";
    Maxprocchars "maxprocchars" [], LIMIT, "" other [], used, "Characters of a header line that is still rewritten.";
    Headerlabelalign "headerlabelalign" [], Integer(0, 100), "" other [], unused, "Column at which header values start.";
    Headerlinelength "headerlinelength" [], Integer(20, 10_000), "" other [], unused, "Column at which header lines are folded.";
    Commentinc "commentinc" [], Flag, "comments" default [], used, "Comments are kept.";
    Commentmap "commentmap" [], Flag, "comments" other [], used, "Comments pass the mapping COMMENT_STRINGS.";
    Commentomit "commentomit" [], Flag, "comments" other [], used, "Comments are dropped.";
    Commentstrip "commentstrip" [], Flag, "comments" other [], used, "Troublesome characters are dropped from comments.";
    Commenttotal "commenttotal" [], Flag, "comments" other [], used, "Comments are dropped everywhere.";
    Sourcecommentinc "sourcecommentinc" [], Flag, "source comments" default [], used, "Comments are kept at the source.";
    Sourcecommentmap "sourcecommentmap" [], Flag, "source comments" other [], used, "Comments pass COMMENT_STRINGS at the source.";
    Sourcecommentomit "sourcecommentomit" [], Flag, "source comments" other [], used, "Comments are dropped at the source.";
    Sourcecommentstrip "sourcecommentstrip" [], Flag, "source comments" other [], used, "Troublesome characters are dropped from comments at the source.";
    Sourcecommenttotal "sourcecommenttotal" [], Flag, "source comments" other [], used, "Comments are dropped everywhere at the source.";
    Personalinc "personalinc" [], Flag, "personal names" default [], used, "Display names are kept.";
    Personalmap "personalmap" [], Flag, "personal names" other [], used, "Display names pass the mapping PERSONAL_NAMES.";
    Personalomit "personalomit" [], Flag, "personal names" other [], used, "Display names are dropped.";
    Personalstrip "personalstrip" [], Flag, "personal names" other [], used, "Troublesome characters are dropped from display names.";
    Sourcepersonalinc "sourcepersonalinc" [], Flag, "source personal names" default [], used, "Display names are kept at the source.";
    Sourcepersonalmap "sourcepersonalmap" [], Flag, "source personal names" other [], used, "Display names pass PERSONAL_NAMES at the source.";
    Sourcepersonalomit "sourcepersonalomit" [], Flag, "source personal names" other [], used, "Display names are dropped at the source.";
    Sourcepersonalstrip "sourcepersonalstrip" [], Flag, "source personal names" other [], used, "Troublesome characters are dropped from display names at the source.";
    Addreturnpath "addreturnpath" [], Flag, "return path" other [], unused, "Return-path: is added when enqueuing.";
    Noaddreturnpath "noaddreturnpath" [], Flag, "return path" default [], unused, "Return-path: is not added when enqueuing.";
    Receivedfor "receivedfor" [], Flag, "received for" default [], used, "Received lines name the only recipient.";
    Noreceivedfor "noreceivedfor" [], Flag, "received for" other [], used, "Received lines name no recipient.";
    Receivedfrom "receivedfrom" [], Flag, "received from" default [], used, "Received lines name the original envelope From when it was changed.";
    Noreceivedfrom "noreceivedfrom" [], Flag, "received from" other [], used, "Received lines do not name the original envelope From.";
    Datefour "datefour" [], Flag, "year digits" default [], used, "Years have four digits.";
    Datetwo "datetwo" [], Flag, "year digits" other [], used, "Years stay as they are.";
    Dayofweek "dayofweek" [], Flag, "day of week" default [], used, "Dates have the day of the week.";
    Nodayofweek "nodayofweek" [], Flag, "day of week" other [], used, "Dates lose the day of the week.";
    Dropblank "dropblank" [], Flag, "blank fields" other [], used, "Header fields without value are dropped.";
    Nodropblank "nodropblank" [], Flag, "blank fields" default [], used, "Header fields without value stay.";
    Relaxheadertermination "relaxheadertermination" [], Flag, "header end" default [], unused, "A line that is no field ends the header.";
    Norelaxheadertermination "norelaxheadertermination" [], Flag, "header end" other [], unused, "A line that is no field is an error.";
    Language "language" [], Text, "" other [], unused, "Default language of encoded words.";

    // MIME, encodings, line length.
    Eightbit "eightbit" [], Flag, "eight bit" other [], used, "8-bit data are passed.";
    Eightnegotiate "eightnegotiate" [], Flag, "eight bit" default [], used, "8-bit data are encoded when the peer does not offer 8BITMIME.";
    Eightstrict "eightstrict" [], Flag, "eight bit" other [], used, "Incoming 8-bit data that were not negotiated are refused.";
    Sevenbit "sevenbit" [], Flag, "eight bit" other [], used, "8-bit data are always encoded.";
    Utf8header "utf8header" [], Flag, "utf8" other [], unused, "Headers may hold UTF-8.";
    Utf8negotiate "utf8negotiate" [], Flag, "utf8" other [], unused, "SMTPUTF8 is negotiated.";
    Utf8strict "utf8strict" [], Flag, "utf8" other [], unused, "UTF-8 that was not negotiated is refused.";
    Linelength "linelength" [], Integer(20, 100_000), "" other [], used, "Longest line that is not encoded.";
    Maxblocks "maxblocks" [], LIMIT, "" other [], unused, "Blocks above which a message is split into pieces.";
    Maxlines "maxlines" [], LIMIT, "" other [], unused, "Lines above which a message is split into pieces.";
    Defragment "defragment" [], Flag, "defragment" other [], used, "Pieces go through the defragment channel.";
    Nodefragment "nodefragment" [], Flag, "defragment" default [], used, "Pieces are passed as they are.";
    Interpretencoding "interpretencoding" [], Flag, "encoding field" default [], used, "A non-MIME Encoding: is believed.";
    Ignoreencoding "ignoreencoding" [], Flag, "encoding field" other [], used, "A non-MIME Encoding: is ignored.";
    Interpretmultipartencoding "interpretmultipartencoding" [], Flag, "multipart encoding" default [], unused, "An encoding on multiparts is believed.";
    Ignoremultipartencoding "ignoremultipartencoding" [], Flag, "multipart encoding" other [], unused, "An encoding on multiparts is ignored.";
    Interpretmessageencoding "interpretmessageencoding" [], Flag, "message encoding" default [], unused, "An encoding on embedded messages is believed.";
    Ignoremessageencoding "ignoremessageencoding" [], Flag, "message encoding" other [], unused, "An encoding on embedded messages is ignored.";
    ConvertOctetStream "convert_octet_stream" [], Flag, "octet stream" other [], used, "Octet streams are converted.";
    NoconvertOctetStream "noconvert_octet_stream" [], Flag, "octet stream" default [], used, "Octet streams stay.";
    Thurman "thurman" [], Flag, "thurman" other [], used, "Embedded uuencoded data become MIME parts.";
    Nothurman "nothurman" [], Flag, "thurman" default [], used, "Embedded uuencoded data stay.";
    Parameterlengthlimit "parameterlengthlimit" [], LIMIT, "" other [], unused, "Longest MIME parameter.";
    Nameparameterlengthlimit "nameparameterlengthlimit" [], LIMIT, "" other [], unused, "Longest MIME name parameter.";
    Rejectsmtplonglines "rejectsmtplonglines" [], Flag, "long lines" other [], used, "Messages with lines over 1000 octets are refused.";
    Truncatesmtplonglines "truncatesmtplonglines" [], Flag, "long lines" default [], used, "Lines over 1000 octets are cut.";
    Wrapsmtplonglines "wrapsmtplonglines" [], Flag, "long lines" other [], used, "Lines over 1000 octets are broken.";

    // Character sets.
    Charset7 "charset7" [], Text, "" other [], unused, "Label of unlabelled 7-bit text.";
    Charset8 "charset8" [], Text, "" other [], used, "Label of unlabelled 8-bit text.";
    Charsetesc "charsetesc" [], Text, "" other [], unused, "Label of unlabelled text with ESC.";

    // Files in the queue.
    Multiple "multiple" [], Flag, "files" default [], used, "One file for all recipients.";
    Addrsperfile "addrsperfile" [], Integer(1, 100_000), "files" other [], used, "Recipients in one file.";
    Single "single" [], Flag, "files" other [], used, "One file per recipient.";
    SingleSys "single_sys" [], Flag, "files" other [], used, "One file per destination host.";
    Subdirs "subdirs" [], Integer(1, 1_000), "" other [], used, "Subdirectories of the queue directory.";
    Expandlimit "expandlimit" [], COUNT, "" other [], used, "Recipients beyond which the rest is expanded later.";
    Expandchannel "expandchannel" [], Text, "" other [], used, "Channel that expands the rest.";
    Holdlimit "holdlimit" [], COUNT, "" other [], used, "Recipients beyond which a message is held.";
    Alternatechannel "alternatechannel" [], Text, "" other [], unused, "Channel used when a limit is exceeded.";
    Alternateblocklimit "alternateblocklimit" [], LIMIT, "" other [], unused, "Blocks above which the alternate channel is used.";
    Alternatelinelimit "alternatelinelimit" [], LIMIT, "" other [], unused, "Lines above which the alternate channel is used.";
    Alternaterecipientlimit "alternaterecipientlimit" [], LIMIT, "" other [], unused, "Recipients above which the alternate channel is used.";

    // Choosing the source channel.
    Switchchannel "switchchannel" [], Flag, "switch" other [], used, "The source channel is chosen by the peer's address.";
    Allowswitchchannel "allowswitchchannel" [], Flag, "switch" default [], used, "The channel may be switched to.";
    Noswitchchannel "noswitchchannel" [], Flag, "switch" other [], used, "The channel is neither switched from nor to.";
    Saslswitchchannel "saslswitchchannel" [], Text, "sasl switch" other [], used, "Source channel after AUTH.";
    Nosaslswitchchannel "nosaslswitchchannel" [], Flag, "sasl switch" default [], used, "AUTH does not change the source channel.";
    Tlsswitchchannel "tlsswitchchannel" [], Text, "tls switch" other [], used, "Source channel after STARTTLS.";
    Notlsswitchchannel "notlsswitchchannel" [], Flag, "tls switch" default [], used, "STARTTLS does not change the source channel.";
    Userswitchchannel "userswitchchannel" [], Flag, "user switch" other [], unused, "The sender's entry may change the source channel.";
    Nouserswitchchannel "nouserswitchchannel" [], Flag, "user switch" default [], unused, "The sender's entry does not change the source channel.";
    Submit "submit" [], Flag, "" other [], unused, "The channel is for submission.";

    // Logging and debugging.
    Logging "logging" [], Flag, "logging" other [], used, "Messages to and from the channel are recorded.";
    Nologging "nologging" [], Flag, "logging" default [], used, "Messages to and from the channel are not recorded.";
    Loggingprefix "loggingprefix" [], Text, "" other [], unused, "Text in front of the channel's records.";
    Logheader "logheader" [], Integer(0, 3), "" other [], unused, "Whether header lines are recorded: 1 dequeue, 3 both.";
    MasterDebug "master_debug" [], Flag, "master debug" other [], used, "The master program writes a debug log.";
    NomasterDebug "nomaster_debug" [], Flag, "master debug" default [], used, "The master program writes no debug log.";
    SlaveDebug "slave_debug" [], Flag, "slave debug" other [], used, "The server writes a debug log.";
    NoslaveDebug "noslave_debug" [], Flag, "slave debug" default [], used, "The server writes no debug log.";
    Loopcheck "loopcheck" [], Flag, "loop check" other [], used, "XLOOP is advertised.";
    Noloopcheck "noloopcheck" [], Flag, "loop check" default [], used, "XLOOP is not advertised.";

    // SMTP protocol.
    Nosmtp "nosmtp" [], Flag, "protocol" default [], used, "The channel does not speak SMTP.";
    Smtp "smtp" ["smtp_crlf"], Flag, "protocol" other [], used, "SMTP, lines end in CRLF.";
    SmtpCr "smtp_cr" [], Flag, "protocol" other [], unused, "As smtp: a lone CR is always refused.";
    SmtpLf "smtp_lf" [], Flag, "protocol" other [], unused, "As smtp: a lone LF is always refused.";
    SmtpCrorlf "smtp_crorlf" [], Flag, "protocol" other [], unused, "As smtp: lone CR and LF are always refused.";
    Lmtp "lmtp" [], Flag, "protocol" other [], used, "LMTP.";
    Ehlo "ehlo" [], Flag, "ehlo" other [], used, "The client always says EHLO.";
    Checkehlo "checkehlo" [], Flag, "ehlo" other [], used, "The client says EHLO when the banner contains ESMTP.";
    Noehlo "noehlo" [], Flag, "ehlo" other [], used, "The client never says EHLO.";
    Refuseehlo "refuseehlo" [], Flag, "" other [], used, "The server refuses EHLO.";
    Allowetrn "allowetrn" [], Flag, "etrn" other [], used, "ETRN is honoured and the channel echoed.";
    Disableetrn "disableetrn" [], Flag, "etrn" other [], used, "ETRN is not advertised.";
    Domainetrn "domainetrn" [], Flag, "etrn" other [], used, "ETRN is honoured for `@domain` forms.";
    Silentetrn "silentetrn" [], Flag, "etrn" default [], used, "ETRN is honoured without echo.";
    Blocketrn "blocketrn" [], Flag, "" other [], used, "ETRN that would run the channel is refused.";
    Sendetrn "sendetrn" [], Text, "send etrn" other [], unused, "The client sends ETRN.";
    Nosendetrn "nosendetrn" [], Flag, "send etrn" default [], unused, "The client does not send ETRN.";
    Domainvrfy "domainvrfy" [], Flag, "client vrfy" other [], unused, "The client verifies whole addresses.";
    Localvrfy "localvrfy" [], Flag, "client vrfy" other [], unused, "The client verifies local parts.";
    Novrfy "novrfy" [], Flag, "client vrfy" default [], unused, "The client does not verify.";
    Vrfyallow "vrfyallow" [], Flag, "server vrfy" other [], unused, "VRFY is answered in full.";
    Vrfydefault "vrfydefault" [], Flag, "server vrfy" default [], used, "VRFY is answered unless HIDE_VERIFY is 1.";
    Vrfyhide "vrfyhide" [], Flag, "server vrfy" other [], used, "VRFY is answered vaguely.";
    Expnallow "expnallow" [], Flag, "expn" other [], used, "EXPN is answered.";
    Expndefault "expndefault" [], Flag, "expn" default [], used, "EXPN is answered as DISABLE_EXPAND says.";
    Expndisable "expndisable" [], Flag, "expn" other [], unused, "EXPN is refused.";
    Streaming "streaming" [], Integer(0, 3), "" other [], unused, "What is sent without waiting although nothing was negotiated.";
    Chunkingclient "chunkingclient" [], Flag, "client chunking" default [], used, "The client uses BDAT when it is offered.";
    Nochunkingclient "nochunkingclient" [], Flag, "client chunking" other [], used, "The client does not use BDAT.";
    Chunkingserver "chunkingserver" [], Flag, "server chunking" default [], used, "CHUNKING is advertised.";
    Nochunkingserver "nochunkingserver" [], Flag, "server chunking" other [], used, "CHUNKING is not advertised.";
    Flagtransfer "flagtransfer" [], Flag, "flag transfer" other [], unused, "Delivery flags travel between such MTAs.";
    Noflagtransfer "noflagtransfer" [], Flag, "flag transfer" default [], unused, "Delivery flags do not travel.";
    Deliveryflags "deliveryflags" [], Integer(0, 65_535), "" other [], used, "Bits passed to delivery; 2 delivers over quota.";
    Transactionlimit "transactionlimit" [], COUNT, "" other [], used, "Messages in one session.";
    Recipientlimit "recipientlimit" [], COUNT, "" other [], used, "Recipients accepted for one message.";
    Recipientcutoff "recipientcutoff" [], COUNT, "" other [], used, "Recipients offered beyond which the whole message is refused.";
    Deferralrejectlimit "deferralrejectlimit" [], COUNT, "" other [], used, "Bad recipients beyond which all further ones are deferred.";
    Disconnecttransactionlimit "disconnecttransactionlimit" [], COUNT, "" other [], used, "Messages beyond which the session is closed.";
    Disconnectrecipientlimit "disconnectrecipientlimit" [], COUNT, "" other [], used, "Recipients beyond which the session is closed.";
    Disconnectrejectlimit "disconnectrejectlimit" [], COUNT, "" other [], used, "Refused recipients beyond which the session is closed.";
    Disconnectbadcommandlimit "disconnectbadcommandlimit" [], COUNT, "" other [], used, "Bad commands beyond which the session is closed.";
    Disconnectbadauthlimit "disconnectbadauthlimit" [], COUNT, "" other [], used, "Failed AUTHs beyond which the session is closed.";
    Disconnectbadburllimit "disconnectbadburllimit" [], COUNT, "" other [], unused, "Failed BURLs beyond which the session is closed.";
    Deliverbymin "deliverbymin" [], COUNT, "" other [], unused, "DELIVERBY is offered, with this least number of seconds.";
    Futurerelease "futurerelease" [], COUNT, "" other [], unused, "FUTURERELEASE is offered, for at most this number of seconds.";
    Sourcenosolicit "sourcenosolicit" [], Text, "" other [], used, "Solicitation classes refused from the channel.";
    Destinationnosolicit "destinationnosolicit" [], Text, "" other [], unused, "Solicitation classes refused to the channel.";
    Mailfromdnsverify "mailfromdnsverify" [], Flag, "sender dns" other [], used, "MAIL FROM whose domain is not in the DNS is refused.";
    Nomailfromdnsverify "nomailfromdnsverify" [], Flag, "sender dns" default [], used, "MAIL FROM is not looked up in the DNS.";
    Verifyurl "verifyurl" [], Text, "" other [], unused, "Without meaning.";
    Contchar "contchar" [], COUNT, "" other [], unused, "Without meaning.";
    Contposition "contposition" [], COUNT, "" other [], unused, "Without meaning.";

    // Authentication.
    Nosasl "nosasl" [], Flag, "" other [Nosaslserver, Nosaslclient], unused, "AUTH is neither offered nor used.";
    Maysasl "maysasl" [], Flag, "" other [Maysaslserver, Maysaslclient], used, "AUTH is offered and used.";
    Mustsasl "mustsasl" [], Flag, "" other [Mustsaslserver, Mustsaslclient], used, "AUTH is insisted on.";
    Nosaslserver "nosaslserver" [], Flag, "server sasl" default [], used, "AUTH is not offered.";
    Maysaslserver "maysaslserver" [], Flag, "server sasl" other [], used, "AUTH is offered.";
    Mustsaslserver "mustsaslserver" [], Flag, "server sasl" other [], used, "MAIL FROM before AUTH is refused.";
    Nosaslclient "nosaslclient" [], Flag, "client sasl" default [], used, "AUTH is not used.";
    Maysaslclient "maysaslclient" [], Flag, "client sasl" other [], used, "AUTH is tried.";
    Mustsaslclient "mustsaslclient" [], Flag, "client sasl" other [], used, "AUTH is insisted on.";
    Saslpassauth "saslpassauth" [], Flag, "" other [], used, "The AUTH parameter of MAIL FROM is passed on.";
    Authusername "authusername" [], Text, "" other [], used, "User for AUTH with the remote server.";
    Authpassword "authpassword" [], Secret, "" other [], used, "Password for AUTH with the remote server.";
    Externalidentity "externalidentity" [], Text, "" other [], unused, "Identity for AUTH EXTERNAL with the remote server.";

    // TLS.
    Notls "notls" [], Flag, "" other [Notlsserver, Notlsclient], unused, "STARTTLS is neither offered nor used.";
    Maytls "maytls" [], Flag, "" other [Maytlsserver, Maytlsclient], used, "STARTTLS is offered and used.";
    Musttls "musttls" [], Flag, "" other [Musttlsserver, Musttlsclient], used, "STARTTLS is insisted on.";
    Notlsserver "notlsserver" [], Flag, "server tls" default [], used, "STARTTLS is not offered.";
    Maytlsserver "maytlsserver" [], Flag, "server tls" other [], used, "STARTTLS is offered.";
    Musttlsserver "musttlsserver" [], Flag, "server tls" other [], used, "MAIL FROM before STARTTLS is refused.";
    Notlsclient "notlsclient" [], Flag, "client tls" default [], used, "STARTTLS is not used.";
    Maytlsclient "maytlsclient" [], Flag, "client tls" other [], used, "STARTTLS is used when offered.";
    Musttlsclient "musttlsclient" [], Flag, "client tls" other [], used, "Nothing is sent without TLS.";

    // TCP/IP connection and DNS.
    Mx "mx" ["nonrandommx"], Flag, "mx" other [], used, "MX records, equal preferences in the order received.";
    Randommx "randommx" [], Flag, "mx" other [], used, "MX records, equal preferences shuffled.";
    Defaultmx "defaultmx" [], Flag, "mx" default [], used, "MX records when the port is 25.";
    Nomx "nomx" [], Flag, "mx" other [], used, "Address records only.";
    Nodns "nodns" [], Flag, "mx" other [], used, "No DNS at all.";
    Affinitylist "affinitylist" [], Flag, "mx" other [], unused, "Hosts of an affinity group in sequence.";
    Nameservers "nameservers" [], Texts(1, 16), "name servers" other [], used, "Name servers for the channel.";
    Defaultnameservers "defaultnameservers" [], Flag, "name servers" default [], used, "The general name servers.";
    Daemon "daemon" [], Text, "" other [], used, "Host to connect to for everything; `router` means the official host.";
    Lastresort "lastresort" [], Text, "" other [], used, "Host tried when all others failed.";
    Port "port" [], Integer(1, 65_535), "" other [], used, "Port to connect to.";
    Interfaceaddress "interfaceaddress" [], Text, "" other [], used, "Source address of outgoing connections.";
    Cacheeverything "cacheeverything" [], Flag, "connection cache" default [], used, "Outcomes of connections are remembered.";
    Cachefailures "cachefailures" [], Flag, "connection cache" other [], used, "Failed connections are remembered.";
    Cachesuccesses "cachesuccesses" [], Flag, "connection cache" other [], unused, "Successful connections are remembered.";
    Nocache "nocache" [], Flag, "connection cache" other [], unused, "Nothing is remembered.";
    Identnone "identnone" ["identtcp"], Flag, "ident" default [], used, "Reverse DNS; address and name in Received.";
    Identnonelimited "identnonelimited" ["identtcplimited"], Flag, "ident" other [], used, "As identnone, but the name never switches the channel.";
    Identnonenumeric "identnonenumeric" ["identtcpnumeric"], Flag, "ident" other [], used, "No reverse DNS; address only.";
    Identnonesymbolic "identnonesymbolic" ["identtcpsymbolic"], Flag, "ident" other [], used, "Reverse DNS; name only in Received.";
    Forwardchecknone "forwardchecknone" [], Flag, "forward check" default [], used, "A name found is not looked up.";
    Forwardchecktag "forwardchecktag" [], Flag, "forward check" other [], unused, "A name that does not lead back is marked.";
    Forwardcheckdelete "forwardcheckdelete" [], Flag, "forward check" other [], used, "A name that does not lead back is dropped.";

    // Processing control.
    Bidirectional "bidirectional" [], Flag, "direction" default [], used, "Master and slave programs serve the channel.";
    Master "master" [], Flag, "direction" other [], used, "Only master programs serve the channel.";
    Slave "slave" [], Flag, "direction" other [], used, "The Job Controller starts nothing.";
    Pool "pool" [], Text, "" other [], used, "Job Controller pool.";
    Maxjobs "maxjobs" [], Integer(1, 10_000), "" other [], used, "Most processes for the channel.";
    Filesperjob "filesperjob" [], Integer(0, 1_000_000), "" other [], used, "Files per process before another is started; 0 has no effect.";
    Threaddepth "threaddepth" [], Integer(1, 1_000_000), "" other [], used, "Messages per client thread before another is used.";
    Backoff "backoff" [], Periods, "" other [], used, "Retry intervals.";
    Urgentbackoff "urgentbackoff" [], Periods, "" other [], used, "Retry intervals of urgent messages.";
    Normalbackoff "normalbackoff" [], Periods, "" other [], used, "Retry intervals of normal messages.";
    Nonurgentbackoff "nonurgentbackoff" [], Periods, "" other [], used, "Retry intervals of nonurgent messages.";
    Deferreddestination "deferreddestination" ["deferred"], MaybeInteger(0, 315_360_000), "deferred destination" other [], unused, "Deferred-delivery: is honoured up to this number of seconds ahead.";
    Nodeferreddestination "nodeferreddestination" [], Flag, "deferred destination" default [], unused, "Deferred-delivery: is ignored.";
    Deferredsource "deferredsource" [], MaybeInteger(0, 315_360_000), "" other [], unused, "Deferred-delivery: of mail from the channel is honoured.";
    After "after" [], Text, "" other [], used, "No attempt before this time, or this delay with a plus sign.";
    Urgentafter "urgentafter" [], Text, "" other [], used, "The same for urgent messages.";
    Normalafter "normalafter" [], Text, "" other [], used, "The same for normal messages.";
    Nonurgentafter "nonurgentafter" [], Text, "" other [], used, "The same for nonurgent messages.";
    Secondclassafter "secondclassafter" [], Text, "" other [], used, "The same for second-class messages.";
    Thirdclassafter "thirdclassafter" [], Text, "" other [], used, "The same for third-class messages.";
    Immediate "immediate" [], Flag, "" other [], unused, "Obsolete.";
    Immnormal "immnormal" [], Flag, "" other [], unused, "Obsolete.";
    Immurgent "immurgent" [], Flag, "" other [], unused, "Obsolete.";
    Immnonurgent "immnonurgent" [], Flag, "" other [], unused, "Obsolete.";
    Periodic "periodic" [], Flag, "" other [], unused, "Obsolete.";
    Period "period" [], COUNT, "" other [], unused, "Obsolete.";
    Queue "queue" [], Text, "" other [], unused, "Obsolete.";
    Maxfiles "maxfiles" [], COUNT, "" other [], unused, "Obsolete.";
    Addrsperjob "addrsperjob" [], COUNT, "" other [], unused, "Obsolete.";
    Service "service" [], Flag, "" other [], unused, "Obsolete.";
    Minperiodicnonurgent "minperiodicnonurgent" [], COUNT, "" other [], unused, "Obsolete.";
    Minperiodicnormal "minperiodicnormal" [], COUNT, "" other [], unused, "Obsolete.";
    Minperiodicurgent "minperiodicurgent" [], COUNT, "" other [], unused, "Obsolete.";
    Maxperiodicnonurgent "maxperiodicnonurgent" [], COUNT, "" other [], unused, "Obsolete.";
    Maxperiodicnormal "maxperiodicnormal" [], COUNT, "" other [], unused, "Obsolete.";
    Maxperiodicurgent "maxperiodicurgent" [], COUNT, "" other [], unused, "Obsolete.";
    Urgentblocklimit "urgentblocklimit" [], LIMIT, "" other [], unused, "Blocks above which an urgent message becomes normal.";
    Normalblocklimit "normalblocklimit" [], LIMIT, "" other [], unused, "Blocks above which a normal message becomes nonurgent.";
    Nonurgentblocklimit "nonurgentblocklimit" [], LIMIT, "" other [], unused, "Blocks above which a nonurgent message falls below nonurgent.";
    Description "description" [], Text, "" other [], used, "What the channel is for.";
    User "user" [], Text, "" other [], used, "User under whom programs run.";
    Notificationchannel "notificationchannel" [], Text, "" other [], used, "Channel by which notices about the channel's mail enter.";
    Dispositionchannel "dispositionchannel" [], Text, "" other [], unused, "Channel by which disposition notices about the channel's mail enter.";

    // Sensitivity.
    Sensitivitynormal "sensitivitynormal" [], Flag, "sensitivity" other [], unused, "Only normal messages.";
    Sensitivitypersonal "sensitivitypersonal" [], Flag, "sensitivity" other [], unused, "Messages up to personal.";
    Sensitivityprivate "sensitivityprivate" [], Flag, "sensitivity" other [], unused, "Messages up to private.";
    Sensitivitycompanyconfidential "sensitivitycompanyconfidential" [], Flag, "sensitivity" default [], unused, "All messages.";

    // Notifications and postmaster.
    Notices "notices" [], Numbers(5), "" other [], used, "Ages at which a warning is sent; at the last the message is returned.";
    Urgentnotices "urgentnotices" [], Numbers(5), "" other [], used, "The same for urgent messages.";
    Normalnotices "normalnotices" [], Numbers(5), "" other [], used, "The same for normal messages.";
    Nonurgentnotices "nonurgentnotices" [], Numbers(5), "" other [], used, "The same for nonurgent messages.";
    Sendpost "sendpost" [], Flag, "postmaster copies" other [], used, "Postmaster gets a copy of each failure notice.";
    Copysendpost "copysendpost" [], Flag, "postmaster copies" other [], used, "Postmaster gets a copy unless the originator is empty.";
    Errsendpost "errsendpost" [], Flag, "postmaster copies" other [], used, "Postmaster gets a copy when the originator cannot be told.";
    Nosendpost "nosendpost" [], Flag, "postmaster copies" default [], used, "Postmaster gets no copy.";
    Warnpost "warnpost" [], Flag, "postmaster warnings" other [], used, "Postmaster gets a copy of each warning.";
    Copywarnpost "copywarnpost" [], Flag, "postmaster warnings" other [], used, "Postmaster gets a copy of warnings unless the originator is empty.";
    Errwarnpost "errwarnpost" [], Flag, "postmaster warnings" other [], used, "Postmaster gets a copy of warnings when the originator cannot be told.";
    Nowarnpost "nowarnpost" [], Flag, "postmaster warnings" other [], used, "Postmaster gets no copy of warnings.";
    Postheadbody "postheadbody" [], Flag, "postmaster content" default [], used, "Postmaster's copies hold the message.";
    Postheadonly "postheadonly" [], Flag, "postmaster content" other [], used, "Postmaster's copies hold the header.";
    Includefinal "includefinal" [], Flag, "final address" default [], used, "Notices show the final address, too.";
    Suppressfinal "suppressfinal" [], Flag, "final address" other [], used, "Notices show the original address only.";
    Useintermediate "useintermediate" [], Flag, "final address" other [], unused, "Notices show the intermediate address.";
    Returnaddress "returnaddress" [], Text, "return address" other [], used, "Postmaster's address in notices about the channel's mail.";
    Noreturnaddress "noreturnaddress" [], Flag, "return address" default [], used, "The general postmaster's address.";
    Returnpersonal "returnpersonal" [], Text, "return personal" other [], used, "Postmaster's display name in notices about the channel's mail.";
    Noreturnpersonal "noreturnpersonal" [], Flag, "return personal" default [], used, "The general display name.";
    Returnenvelope "returnenvelope" [], Integer(0, 127), "" other [], unused, "Bits that steer the envelope From of notices and the check of incoming ones.";
    Aliaspostmaster "aliaspostmaster" [], Flag, "" other [], unused, "Mail to postmaster at the channel's host goes to the local postmaster.";
    Reportboth "reportboth" [], Flag, "receipt fields" default [], unused, "Receipt fields ask for notices and stay.";
    Reportheader "reportheader" [], Flag, "receipt fields" other [], unused, "Receipt fields stay.";
    Reportnotary "reportnotary" [], Flag, "receipt fields" other [], unused, "Receipt fields ask for notices.";
    Reportsuppress "reportsuppress" [], Flag, "receipt fields" other [], unused, "Receipt fields are dropped.";

    // Filters.
    Filter "filter" [], Text, "user filter" other [], used, "Where per-user filters lie.";
    Nofilter "nofilter" [], Flag, "user filter" default [], used, "No per-user filters.";
    Sourcefilter "sourcefilter" [], Text, "source filter" other [], used, "Filter for all mail from the channel.";
    Nosourcefilter "nosourcefilter" [], Flag, "source filter" default [], used, "No filter for mail from the channel.";
    Destinationfilter "destinationfilter" ["channelfilter"], Text, "destination filter" other [], used, "Filter for all mail to the channel.";
    Nodestinationfilter "nodestinationfilter" ["nochannelfilter"], Flag, "destination filter" default [], used, "No filter for mail to the channel.";
    Fileinto "fileinto" [], Text, "fileinto" other [], unused, "Form of the address when a filter names a folder.";
    Nofileinto "nofileinto" [], Flag, "fileinto" default [], unused, "Filters name no folder.";

    // Spam and virus filters, conversion tags.
    Sourcespamfilter1optin "sourcespamfilter1optin" [], Text, "" other [], unused, "Mail from the channel passes filter 1.";
    Sourcespamfilter2optin "sourcespamfilter2optin" [], Text, "" other [], unused, "Mail from the channel passes filter 2.";
    Sourcespamfilter3optin "sourcespamfilter3optin" [], Text, "" other [], unused, "Mail from the channel passes filter 3.";
    Sourcespamfilter4optin "sourcespamfilter4optin" [], Text, "" other [], unused, "Mail from the channel passes filter 4.";
    Sourcespamfilter5optin "sourcespamfilter5optin" [], Text, "" other [], unused, "Mail from the channel passes filter 5.";
    Sourcespamfilter6optin "sourcespamfilter6optin" [], Text, "" other [], unused, "Mail from the channel passes filter 6.";
    Sourcespamfilter7optin "sourcespamfilter7optin" [], Text, "" other [], unused, "Mail from the channel passes filter 7.";
    Sourcespamfilter8optin "sourcespamfilter8optin" [], Text, "" other [], unused, "Mail from the channel passes filter 8.";
    Destinationspamfilter1optin "destinationspamfilter1optin" [], Text, "spam filter 1" other [], unused, "Mail to the channel passes filter 1.";
    Disabledestinationspamfilter1 "disabledestinationspamfilter1" [], Flag, "spam filter 1" default [], unused, "Mail to the channel does not pass filter 1.";
    Destinationspamfilter2optin "destinationspamfilter2optin" [], Text, "spam filter 2" other [], unused, "Mail to the channel passes filter 2.";
    Disabledestinationspamfilter2 "disabledestinationspamfilter2" [], Flag, "spam filter 2" default [], unused, "Mail to the channel does not pass filter 2.";
    Destinationspamfilter3optin "destinationspamfilter3optin" [], Text, "spam filter 3" other [], unused, "Mail to the channel passes filter 3.";
    Disabledestinationspamfilter3 "disabledestinationspamfilter3" [], Flag, "spam filter 3" default [], unused, "Mail to the channel does not pass filter 3.";
    Destinationspamfilter4optin "destinationspamfilter4optin" [], Text, "spam filter 4" other [], unused, "Mail to the channel passes filter 4.";
    Disabledestinationspamfilter4 "disabledestinationspamfilter4" [], Flag, "spam filter 4" default [], unused, "Mail to the channel does not pass filter 4.";
    Destinationspamfilter5optin "destinationspamfilter5optin" [], Text, "spam filter 5" other [], unused, "Mail to the channel passes filter 5.";
    Disabledestinationspamfilter5 "disabledestinationspamfilter5" [], Flag, "spam filter 5" default [], unused, "Mail to the channel does not pass filter 5.";
    Destinationspamfilter6optin "destinationspamfilter6optin" [], Text, "spam filter 6" other [], unused, "Mail to the channel passes filter 6.";
    Disabledestinationspamfilter6 "disabledestinationspamfilter6" [], Flag, "spam filter 6" default [], unused, "Mail to the channel does not pass filter 6.";
    Destinationspamfilter7optin "destinationspamfilter7optin" [], Text, "spam filter 7" other [], unused, "Mail to the channel passes filter 7.";
    Disabledestinationspamfilter7 "disabledestinationspamfilter7" [], Flag, "spam filter 7" default [], unused, "Mail to the channel does not pass filter 7.";
    Destinationspamfilter8optin "destinationspamfilter8optin" [], Text, "spam filter 8" other [], unused, "Mail to the channel passes filter 8.";
    Disabledestinationspamfilter8 "disabledestinationspamfilter8" [], Flag, "spam filter 8" default [], unused, "Mail to the channel does not pass filter 8.";
    Sourceconversiontag "sourceconversiontag" [], Text, "" other [], used, "Conversion tag for mail from the channel.";
    Destinationconversiontag "destinationconversiontag" [], Text, "" other [], used, "Conversion tag for mail to the channel.";
    Generatemessagehash "generatemessagehash" [], Flag, "message hash" other [], unused, "Message-hash: is made.";
    Keepmessagehash "keepmessagehash" [], Flag, "message hash" other [], unused, "Message-hash: stays.";
    Deletemessagehash "deletemessagehash" [], Flag, "message hash" default [], unused, "Message-hash: is dropped.";

    // Size limits.
    Blocklimit "blocklimit" [], LIMIT, "block limit" other [], used, "Largest message to the channel, in blocks.";
    Noblocklimit "noblocklimit" [], Flag, "block limit" default [], used, "No limit of the size of messages to the channel.";
    Sourceblocklimit "sourceblocklimit" [], LIMIT, "" other [], used, "Largest message from the channel, in blocks.";
    Linelimit "linelimit" [], LIMIT, "line limit" other [], used, "Largest message to the channel, in lines.";
    Nolinelimit "nolinelimit" [], Flag, "line limit" default [], used, "No limit of the lines of messages to the channel.";

    // Native quota.
    Holdexquota "holdexquota" [], Flag, "over quota" other [], unused, "Mail for users over quota stays in the queue.";
    Noexquota "noexquota" [], Flag, "over quota" default [], unused, "Mail for users over quota is returned.";
}
