//! The MTA options, one row each.
//!
//! The parser, `msconfig`, `cnbuild -unused` and the manual pages all read this table; adding an
//! option is adding a row and using it. A row's last mark says whether any code uses the option;
//! a test compares the marks with the sources.

use crate::value::Kind::{self, *};

const SWITCH: Kind = Switch;
const ANY: Kind = Integer(i64::MIN, i64::MAX);
const COUNT: Kind = Integer(0, i64::MAX);
const LIMIT: Kind = Integer(0, i64::MAX);

macro_rules! is_restricted {
    (restricted) => {
        true
    };
    (open) => {
        false
    };
}

macro_rules! mta_options {
    ($($variant:ident $name:literal, $kind:expr, $default:literal, $access:ident $used:ident, $sentence:literal;)*) => {
        /// An option of the whole MTA (`mta.NAME`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MtaOption {
            $(#[doc = $sentence] $variant,)*
        }

        /// What is known about each MTA option, in the order of [`MtaOption`].
        pub static ROWS: &[Row] = &[
            $(Row {
                option: MtaOption::$variant,
                name: $name,
                kind: $kind,
                default: $default,
                restricted: is_restricted!($access),
                in_use: crate::value::is_used!($used),
                sentence: $sentence,
            },)*
        ];
    };
}

/// What is known about one MTA option.
#[derive(Debug)]
pub struct Row {
    /// Which option this is.
    pub option: MtaOption,
    /// Its name in Unified Configuration; `option.dat` uses the same in upper case.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What holds when it is not set; empty for nothing.
    pub default: &'static str,
    /// Meant for the vendor: `msconfig set` asks for `-restricted`.
    pub restricted: bool,
    /// Whether any code uses it.
    pub in_use: bool,
    /// What it means.
    pub sentence: &'static str,
}

mta_options! {

    // Addresses and aliases.
    AliasCase "alias_case", Integer(0, 3), "0", restricted unused, "Whether alias look-ups regard the case of a local part; 0 is case-blind.";
    AliasDomains "alias_domains", Integer(1, 7), "1", open used, "Which keys are probed in the alias file and database: 1 local part, 2 whole address, 4 `*@domain`.";
    AliasMagic "alias_magic", Integer(0, 99_999_999), "8764", restricted used, "Order of the alias sources, one decimal digit each.";
    AliasUrl0 "alias_url0", Text, "ldap:///$V?*?sub?$R", open unused, "First directory look-up of an alias.";
    AliasUrl1 "alias_url1", Text, "", open unused, "Second directory look-up of an alias, for vanity domains.";
    AliasUrl2 "alias_url2", Text, "", open unused, "Third directory look-up of an alias, for catch-all addresses.";
    AliasUrl3 "alias_url3", Text, "", open unused, "Fourth directory look-up of an alias.";
    AliasEntryCacheSize "alias_entry_cache_size", COUNT, "1000", open unused, "Directory results about aliases that are kept.";
    AliasEntryCacheTimeout "alias_entry_cache_timeout", COUNT, "600", open unused, "Seconds for which a directory result about an alias is kept.";
    AliasEntryCacheNegative "alias_entry_cache_negative", COUNT, "0", open unused, "Whether \"no such alias\" is kept, too.";
    MaxAliasLevels "max_alias_levels", Integer(1, 100), "10", open used, "Depth to which aliases may refer to aliases.";
    AlternateRecipient "alternate_recipient", Text, "", open unused, "Address that gets mail for recipients that do not exist.";
    AlternateRecipientMode "alternate_recipient_mode", COUNT, "", open unused, "When the alternate recipient is used.";
    DelimiterChar "delimiter_char", Integer(0, 255), "", restricted unused, "Character that separates the parts of probes.";
    DeferGroupProcessing "defer_group_processing", SWITCH, "1", open unused, "Large groups are expanded by the reprocess channel.";
    ExprouteForward "exproute_forward", SWITCH, "1", open unused, "The channel option exproute acts on forward-pointing header addresses.";
    ImprouteForward "improute_forward", SWITCH, "1", open unused, "The channel option improute acts on forward-pointing header addresses.";
    LocalFormatRestrictions "local_format_restrictions", COUNT, "0", open unused, "Bits that forbid `|` programs and `+` files in local parts.";
    DomainUplevel "domain_uplevel", COUNT, "0", open unused, "Whether upper levels of a domain are looked up, too.";
    OrClauses "or_clauses", SWITCH, "0", open used, "How a list's access checks combine: 0 all must agree, 1 one is enough.";
    UsePersonalAliases "use_personal_aliases", SWITCH, "1", open unused, "Whether the personal alias database is read.";
    NameTableName "name_table_name", Text, "", open unused, "Name of the local name table.";
    ProcessSubstitutions "process_substitutions", SWITCH, "0", open unused, "Whether list attributes may contain substitutions.";
    RouteToRoutingHost "route_to_routing_host", SWITCH, "0", open unused, "Mail for hosted domains goes to their routing host.";
    MissingRecipientPolicy "missing_recipient_policy", Integer(0, 6), "0", open used, "What a message without recipient header gets, unless its source channel says otherwise.";

    // Access control.
    AccessAuth "access_auth", SWITCH, "0", open used, "Whether the authenticated sender stands at the end of recipient probes.";
    AccessCounts "access_counts", Integer(0, 31), "0", open used, "Bits 1, 2, 4, 8, 16: recipient counts are added to all, ORIG_SEND, SEND, ORIG_MAIL, MAIL probes.";
    AccessErrors "access_errors", SWITCH, "0", open used, "Whether an access refusal without text of its own says so (1) or speaks of an unknown host (0).";
    AccessOrcpt "access_orcpt", Integer(0, 31), "0", open used, "Bits as for access_counts: the original recipient is added to probes.";
    IncludeConversiontag "include_conversiontag", COUNT, "0", open used, "Bits that name the probes to which conversion tags are added.";
    IncludeConnectioninfo "include_connectioninfo", COUNT, "0", open unused, "Bits that name the probes to which connection data are added.";
    IncludeRetries "include_retries", COUNT, "0", open used, "Bit 1 adds the retry count to the DEQUEUE_ACCESS probe.";
    IncludeSpares1 "include_spares1", COUNT, "0", open unused, "Bits that add spare attributes to access probes.";
    IncludeSpares2 "include_spares2", COUNT, "0", open unused, "Bits that add spare attributes to the FORWARD probe.";
    MappingParanoia "mapping_paranoia", Integer(0, 255), "0", open used, "Code of the character that stands for `|` inside a probe's field; 0 leaves it.";
    UseAuthReturn "use_auth_return", COUNT, "0", open used, "Bits as for access_counts (32: FROM_ACCESS): the authenticated address stands for the envelope From.";
    UseCanonicalReturn "use_canonical_return", COUNT, "0", open used, "Bits as for use_auth_return: the envelope From after address reversal.";
    UseOrigReturn "use_orig_return", COUNT, "0", open used, "Bits as for use_auth_return: the envelope From as the client gave it.";

    // Databases.
    UseAliasDatabase "use_alias_database", Integer(0, 2), "1", open used, "0 never, 1 if it is there, 2 required.";
    UseDomainDatabase "use_domain_database", SWITCH, "1", open used, "Whether rewrite rules are also taken from the domain database.";
    UseForwardDatabase "use_forward_database", COUNT, "0", open used, "Bits: 1 the forward database is used, 8 its keys are source-specific, 16 the mapping's probes are.";
    UseReverseDatabase "use_reverse_database", COUNT, "5", open used, "Bits that steer address reversal; 0 turns it off.";
    UseTextDatabases "use_text_databases", Integer(0, 7), "0", open used, "Bits: 1 general.txt, 2 reverse.txt, 4 forward.txt are read into the compiled configuration.";
    ReverseEnvelope "reverse_envelope", SWITCH, "1", open used, "Whether the envelope From is reversed, too.";
    ReverseUrl "reverse_url", Text, "", open unused, "Directory look-up of address reversal.";
    ReverseAddressCacheSize "reverse_address_cache_size", COUNT, "100000", open unused, "Reversal results that are kept.";
    ReverseAddressCacheTimeout "reverse_address_cache_timeout", COUNT, "600", open unused, "Seconds for which a reversal result is kept.";
    GeneralDatabaseUrl "general_database_url", Text, "", open unused, "Where the general database lies when it is no file.";
    ForwardDatabaseUrl "forward_database_url", Text, "", open unused, "Where the forward database lies when it is no file.";
    ReverseDatabaseUrl "reverse_database_url", Text, "", open unused, "Where the reverse database lies when it is no file.";

    // Table sizes: start values of tables that grow by themselves.
    AliasHashSize "alias_hash_size", Integer(1, 32_767), "256", open unused, "Start size of the alias table.";
    AliasMemberSize "alias_member_size", Integer(1, 20_000), "320", open unused, "Start size of the table of alias values.";
    ChannelTableSize "channel_table_size", Integer(1, 32_767), "256", open unused, "Start size of the channel table.";
    CircuitcheckPathsSize "circuitcheck_paths_size", Integer(1, 256), "10", open unused, "Start size of the table of circuit checks.";
    ConversionSize "conversion_size", Integer(1, 2_000), "32", open unused, "Start size of the conversions table.";
    DomainHashSize "domain_hash_size", Integer(1, 32_767), "512", open unused, "Start size of the table of rewrite rules.";
    FileMemberSize "file_member_size", COUNT, "", open unused, "Start size of the table of list files.";
    HostHashSize "host_hash_size", Integer(1, 32_767), "512", open unused, "Start size of the table of channel host names.";
    MapNamesSize "map_names_size", Integer(1, 32_767), "32", open unused, "Start size of the table of mapping names.";
    StringPoolSize "string_pool_size", Integer(1, 50_000_000), "60000", open unused, "Start size of the string pool.";
    StringPoolSize0 "string_pool_size_0", Integer(1, 50_000_000), "60000", open unused, "Start size of string pool 0.";
    StringPoolSize1 "string_pool_size_1", Integer(1, 50_000_000), "60000", open unused, "Start size of string pool 1.";
    StringPoolSize2 "string_pool_size_2", Integer(1, 50_000_000), "60000", open unused, "Start size of string pool 2.";
    StringPoolSize3 "string_pool_size_3", Integer(1, 50_000_000), "60000", open unused, "Start size of string pool 3.";
    WildPoolSize "wild_pool_size", Integer(1, 200_000), "8000", open unused, "Start size of the pool of mapping patterns.";
    FruitsSize "fruits_size", COUNT, "", open unused, "Internal size.";
    OptionsHashSize "options_hash_size", COUNT, "", open unused, "Internal size.";
    LdapAttrNameHashSize "ldap_attr_name_hash_size", COUNT, "", open unused, "Internal size.";
    LdapObjectClassHashSize "ldap_object_class_hash_size", COUNT, "", open unused, "Internal size.";
    GeneralDataSize "general_data_size", Integer(1, 1_000_000), "", open unused, "Start size of the general text database.";
    ReverseDataSize "reverse_data_size", Integer(1, 1_000_000), "", open unused, "Start size of the reverse text database.";
    ForwardDataSize "forward_data_size", Integer(1, 1_000_000), "", open unused, "Start size of the forward text database.";

    // Message size.
    BlockSize "block_size", Integer(1, 1_000_000), "1024", open used, "Bytes in one block, the unit of message sizes.";
    BlockLimit "block_limit", LIMIT, "", open used, "Largest message accepted, in blocks.";
    LineLimit "line_limit", LIMIT, "", open used, "Largest message accepted, in lines.";
    BounceBlockLimit "bounce_block_limit", LIMIT, "", open unused, "Blocks above which a returned message is reduced to its header.";
    ContentReturnBlockLimit "content_return_block_limit", LIMIT, "", open used, "Blocks above which RET=HDRS holds whatever the sender asked.";
    HeaderLimit "header_limit", LIMIT, "2000", open unused, "Largest header kept, in kilobytes.";
    MaxHeaderBlockUse "max_header_block_use", Real, "0.5", open unused, "Fraction of maxblocks that a fragment's header may use.";
    MaxHeaderLineUse "max_header_line_use", Real, "0.5", open unused, "Fraction of maxlines that a fragment's header may use.";
    MaxHeaderBlocks "max_header_blocks", LIMIT, "", open unused, "Largest header accepted, in blocks.";
    MaxHeaderLines "max_header_lines", LIMIT, "", open unused, "Largest header accepted, in lines.";
    MaxInternalBlocks "max_internal_blocks", COUNT, "30", open unused, "Blocks above which a message is kept in a file and not in memory.";
    MaxMimeLevels "max_mime_levels", COUNT, "100", open unused, "Depth of MIME nesting that is looked into.";
    MaxMimeParts "max_mime_parts", COUNT, "", open unused, "MIME parts that are looked into.";
    UrgentBlockLimit "urgent_block_limit", LIMIT, "", open unused, "Blocks above which an urgent message becomes normal.";
    NormalBlockLimit "normal_block_limit", LIMIT, "", open unused, "Blocks above which a normal message becomes nonurgent.";
    NonUrgentBlockLimit "non_urgent_block_limit", LIMIT, "", open unused, "Blocks above which a nonurgent message falls below nonurgent.";

    // Loop detection.
    HeldSndopr "held_sndopr", SWITCH, "0", open unused, "Whether a message held for its Received count is reported to syslog.";
    MaxLocalReceivedLines "max_local_received_lines", COUNT, "10", open used, "Received lines with the local host's name above which a message is held.";
    MaxMrReceivedLines "max_mr_received_lines", COUNT, "20", open used, "MR-Received lines above which a message is held.";
    MaxReceivedLines "max_received_lines", COUNT, "50", open used, "Received lines above which a message is held.";
    MaxTotalReceivedLines "max_total_received_lines", COUNT, "100", open used, "Received lines of all kinds above which a message is held.";
    MaxX400ReceivedLines "max_x400_received_lines", COUNT, "50", open used, "X400-Received lines above which a message is held.";

    // Notifications and return job.
    HistoryToReturn "history_to_return", COUNT, "20", open unused, "Delivery attempts quoted in a notice.";
    LinesToReturn "lines_to_return", COUNT, "20", open used, "Body lines quoted in a warning.";
    ReturnAddress "return_address", Text, "", open used, "Postmaster's address as notices show it; postmaster at the local host when unset.";
    ReturnPersonal "return_personal", Text, "Internet Mail Delivery", open used, "Display name of the postmaster in notices.";
    ReturnDebug "return_debug", SWITCH, "0", open used, "Whether the return job writes a debug log.";
    ReturnDeliveryHistory "return_delivery_history", SWITCH, "1", open used, "Whether notices quote the history of delivery attempts.";
    ReturnEnvelope "return_envelope", Integer(0, 127), "0", open unused, "Bits that steer the envelope From of notices and the check of incoming ones.";
    ReturnUnits "return_units", SWITCH, "0", open used, "Unit of the ages in notices: 0 days, 1 hours.";
    ReturnSplitPeriod "return_split_period", Integer(1, 1_000), "1", open used, "How many runs of the return job share one walk of the queue.";
    UseErrorsTo "use_errors_to", SWITCH, "0", open unused, "Whether Errors-To: is honoured.";
    UseWarningsTo "use_warnings_to", SWITCH, "0", open unused, "Whether Warnings-To: is honoured.";
    NotaryDecode "notary_decode", Integer(-1, 1), "", open unused, "Whether encoded words quoted in notices are decoded.";
    NotaryQuote "notary_quote", Text, "%", open unused, "Character that starts a substitution in the notice templates.";
    OriginalChannelProbe "original_channel_probe", SWITCH, "0", open unused, "Whether notification probes carry the original channel.";

    // Logging.
    LogConnection "log_connection", Integer(0, 255), "0", open used, "Bits: what of the connection stands in records, and which connections get records of their own.";
    LogConnectionsSyslog "log_connections_syslog", ANY, "0", open unused, "Syslog copy of connection records.";
    LogDelayBins "log_delay_bins", Numbers(8), "", open unused, "Bounds of the delay counters, in seconds.";
    LogSizeBins "log_size_bins", Numbers(8), "", open unused, "Bounds of the size counters, in blocks.";
    CircuitcheckCompletedBins "circuitcheck_completed_bins", Numbers(8), "120,300,900,1800,3600,7200,14400,28800", open unused, "Bounds of the circuit check counters, in seconds.";
    LogAuth "log_auth", COUNT, "0", open unused, "Whether records carry authentication results.";
    LogDeliveryFlags "log_delivery_flags", SWITCH, "0", open unused, "Whether records carry the delivery flags.";
    LogImapFlags "log_imap_flags", SWITCH, "0", open unused, "Whether records carry the flags set in the store.";
    LogMailboxUid "log_mailbox_uid", SWITCH, "0", open unused, "Whether records carry the mailbox's uid.";
    LogUid "log_uid", SWITCH, "0", open unused, "Whether records carry the message's uid in the store.";
    LogCallout "log_callout", SWITCH, "0", open unused, "Whether mapping call-outs are recorded.";
    LogDiagnostics "log_diagnostics", COUNT, "1", open used, "Whether records carry the SMTP diagnostic.";
    LogEnvelopeId "log_envelope_id", COUNT, "0", open used, "Whether records carry the envelope id.";
    LogFilename "log_filename", COUNT, "0", open used, "Whether records carry the queue file's name.";
    LogFilter "log_filter", COUNT, "0", open unused, "Whether records carry the filter's actions.";
    LogFormat "log_format", Integer(1, 6), "1", open used, "1 plain, 2 `<>` for empty fields, 3 counted fields, 4 XML, 5 JSON, 6 flat JSON.";
    LogFrustrationLimit "log_frustration_limit", COUNT, "10", open unused, "Failures after which logging is given up.";
    LogHeader "log_header", Integer(0, 3), "0", open unused, "Whether header lines are recorded.";
    LogHeaderOptions "log_header_options", Text, "", open unused, "Which header lines are recorded.";
    LogHeadersMaxchars "log_headers_maxchars", LIMIT, "", open unused, "Longest header line recorded.";
    LogIntermediate "log_intermediate", COUNT, "0", open unused, "Whether records carry the intermediate and initial address.";
    LogLocal "log_local", SWITCH, "0", open used, "Whether the local host's name is appended to bare addresses in records.";
    LogMessageId "log_message_id", COUNT, "0", open used, "Whether records carry the Message-ID.";
    LogMessagesSyslog "log_messages_syslog", ANY, "0", open unused, "Syslog copy of message records.";
    LogMtpriority "log_mtpriority", COUNT, "0", open unused, "Whether records carry the MT-PRIORITY.";
    LogPriority "log_priority", COUNT, "0", open used, "Whether records carry the processing priority.";
    LogSensitivity "log_sensitivity", COUNT, "0", open unused, "Whether records carry the sensitivity.";
    LogNode "log_node", SWITCH, "0", open used, "Whether records carry the node's name.";
    LogNotary "log_notary", COUNT, "0", open used, "Whether records carry the recipient's NOTIFY flags.";
    LogProcess "log_process", COUNT, "0", open used, "Whether records carry the process id.";
    LogQueueTime "log_queue_time", COUNT, "0", open used, "Whether records carry the seconds in the queue.";
    LogReason "log_reason", Integer(0, 7), "0", open used, "Bits: whether records carry the reason of a refusal.";
    LogRemoteMta "log_remote_mta", Integer(0, 7), "0", open used, "Bits: whether records carry the remote MTA's name.";
    LogSndopr "log_sndopr", SWITCH, "0", open unused, "Whether trouble with logging is reported to syslog.";
    LogUsername "log_username", COUNT, "0", open used, "Whether records carry the user.";
    SeparateConnectionLog "separate_connection_log", SWITCH, "0", open used, "Whether connection records go to connection.log.";
    SndoprPriority "sndopr_priority", Integer(0, 7), "5", open unused, "Syslog priority of the *_sndopr reports.";
    LogTracking "log_tracking", COUNT, "0", open unused, "Whether records carry the tracking id.";
    LogConversionTag "log_conversion_tag", COUNT, "0", open unused, "Whether records carry conversion tags.";
    LogAlq "log_alq", COUNT, "0", open unused, "Without meaning on this system.";
    LogDeq "log_deq", COUNT, "0", open unused, "Without meaning on this system.";

    // Debug.
    ApDebug "ap_debug", ANY, "0", restricted unused, "Debugging of address parsing.";
    CacheDebug "cache_debug", ANY, "0", open unused, "Statistics of the directory cache at exit.";
    DequeueDebug "dequeue_debug", ANY, "0", open unused, "Debugging of queue reading.";
    FilterDebug "filter_debug", ANY, "0", open unused, "Debugging of filters.";
    LogDebug "log_debug", ANY, "0", open unused, "Debugging of logging.";
    MmDebug "mm_debug", ANY, "0", open used, "Debugging of enqueueing and rewriting; 5 is the usual value.";
    OsDebug "os_debug", ANY, "0", open unused, "Debugging of the operating system layer.";
    PostDebug "post_debug", ANY, "0", open unused, "Debugging of the post job.";

    // Headers and identification.
    IdDomain "id_domain", Text, "", open used, "Right side of identifiers; the local host's name when unset.";
    ReceivedDomain "received_domain", Text, "", open used, "Name behind `by` in Received lines of the SMTP server; the local host's name when unset.";
    ReceivedVersion "received_version", Text, "", open used, "Version text in Received lines.";
    CommentChars "comment_chars", Text, "40", open unused, "Codes of the characters that open a comment.";
    DecodeEncodedWords "decode_encoded_words", SWITCH, "0", open unused, "Whether encoded words are decoded.";
    UniqueIdTemplate "unique_id_template", Text, "", open unused, "Form of unique ids.";
    MessageHashAlgorithm "message_hash_algorithm", Text, "md5", open unused, "Digest of Message-hash:.";
    MessageHashFields "message_hash_fields", Text, "", open unused, "Header fields that count for Message-hash:.";
    AuthrewriteExtraHeaders "authrewrite_extra_headers", Text, "", open used, "Names of header fields, with commas, whose values stand at the end of the AUTH_REWRITE probe.";
    IdnConfigFile "idn_config_file", Text, "", open unused, "Table of internationalised domain names.";

    // Errors.
    UsePermanentError "use_permanent_error", COUNT, "0", open used, "Bits that make some temporary errors permanent.";
    UseTemporaryError "use_temporary_error", COUNT, "0", open unused, "Bits that make some permanent errors temporary.";
    ErrorTextUnknownHost "error_text_unknown_host", Text, "unknown host or domain", open used, "550 or 450, 5.1.2.";
    ErrorTextUnknownUser "error_text_unknown_user", Text, "unknown or illegal user", open used, "550 or 450, 5.1.1.";
    ErrorTextUnknownAlias "error_text_unknown_alias", Text, "unknown or illegal alias", open used, "550 or 450, 5.1.1, for channels that ask for an alias.";
    ErrorTextAccessFailure "error_text_access_failure", Text, "you are not allowed to use this address", open used, "550 5.7.1, when access_errors is 1.";
    ErrorTextMailfromdnsverify "error_text_mailfromdnsverify", Text, "invalid/host-not-in-DNS return address not allowed", open used, "550 5.1.8.";
    ErrorTextRecipientOver "error_text_recipient_over", Text, "too many recipients specified", open used, "452 4.2.3.";
    ErrorTextTransactionLimitExceeded "error_text_transaction_limit_exceeded", Text, "number of transactions exceeds allowed maximum", open used, "450 4.5.3.";
    ErrorTextSmtpLinesTooLong "error_text_smtp_lines_too_long", Text, "lines longer than SMTP allows encountered; message rejected", open used, "550 5.6.0.";
    ErrorTextUnnegotiatedEightbit "error_text_unnegotiated_eightbit", Text, "message contains unnegotiated 8bit", open used, "550 5.6.0.";
    ErrorTextBlockOver "error_text_block_over", Text, "channel limit of %d kilobytes on message size exceeded", open used, "550 5.2.3.";
    ErrorTextLineOver "error_text_line_over", Text, "channel limit of %d lines on message size exceeded", open used, "550 5.2.3.";
    ErrorTextUserBlockOver "error_text_user_block_over", Text, "user limit of %d kilobytes on message size exceeded", open used, "550 5.2.3.";
    ErrorTextUserLineOver "error_text_user_line_over", Text, "user limit of %d lines on message size exceeded", open unused, "550 5.2.3.";
    ErrorTextDomainBlockOver "error_text_domain_block_over", Text, "domain limit of %d kilobytes on message size exceeded", open used, "550 5.2.3.";
    ErrorTextDomainLineOver "error_text_domain_line_over", Text, "domain limit of %d lines on message size exceeded", open unused, "550 5.2.3.";
    ErrorTextInactiveUser "error_text_inactive_user", Text, "mailbox temporarily disabled", open used, "452 4.2.1.";
    ErrorTextInactiveGroup "error_text_inactive_group", Text, "group temporarily disabled", open used, "452 4.2.1.";
    ErrorTextOverQuota "error_text_over_quota", Text, "user over quota; cannot receive new mail", open used, "452 4.2.2.";
    ErrorTextDisabledUser "error_text_disabled_user", Text, "user disabled; cannot receive new mail", open used, "550 5.2.1.";
    ErrorTextDisabledGroup "error_text_disabled_group", Text, "group disabled; cannot receive new mail", open used, "550 5.2.1.";
    ErrorTextDeletedUser "error_text_deleted_user", Text, "recipient no longer on server", open used, "550 5.1.6.";
    ErrorTextDeletedGroup "error_text_deleted_group", Text, "group no longer on server", open used, "550 5.1.6.";
    ErrorTextSieveSyntax "error_text_sieve_syntax", Text, "Filter syntax error", open unused, "452 4.7.1.";
    ErrorTextSieveAccess "error_text_sieve_access", Text, "Filter access error", open unused, "452 4.7.1.";
    ErrorTextSpamfilterError "error_text_spamfilter_error", Text, "filtering/scanning error", open unused, "452 4.7.1.";
    ErrorTextSendUnknownError "error_text_send_unknown_error", Text, "do not know how to SEND/SAML", open unused, "550 5.7.2.";
    ErrorTextSendRemoteError "error_text_send_remote_error", Text, "no protocol to SEND/SAML", open unused, "550 5.7.2.";
    ErrorTextPermanentFailure "error_text_permanent_failure", Text, "unknown host or domain", open unused, "550, older name.";
    ErrorTextTemporaryFailure "error_text_temporary_failure", Text, "unknown host or domain", open unused, "450, older name.";
    ErrorTextDuplicateAddrs "error_text_duplicate_addrs", Text, "duplicate/ambiguous directory match", open used, "452 4.2.0.";
    ErrorTextAliasAuth "error_text_alias_auth", Text, "you are not allowed to use this list", open used, "550 5.7.1.";
    ErrorTextAliasLocked "error_text_alias_locked", Text, "list is currently reserved and locked", open unused, "452 4.2.0.";
    ErrorTextAliasTemp "error_text_alias_temp", Text, "temporary error returned by alias expansion", open used, "452 4.2.0.";
    ErrorTextAliasFileerror "error_text_alias_fileerror", Text, "error opening file/URL referenced by alias", open used, "452 4.2.0.";
    ErrorTextInsufQueueSpace "error_text_insuf_queue_space", Text, "insufficient free queue space available", open used, "452 4.3.1.";
    ErrorTextSrsTimeout "error_text_srs_timeout", Text, "SRS/MUL address has timed out", open unused, "550 5.7.1.";
    ErrorTextSrsBadhash "error_text_srs_badhash", Text, "SRS/MUL address has a bad hash value", open unused, "550 5.7.1.";
    DomainFailure "domain_failure", Text, "", open used, "What a directory that does not answer makes of an address asked about by a rewrite rule.";

    // Sieve and lists.
    MaxAddheaders "max_addheaders", COUNT, "10", open unused, "Header fields one filter may add.";
    MaxFileintos "max_fileintos", COUNT, "10", open unused, "Folders one filter may deliver to.";
    MaxForwards "max_forwards", COUNT, "32", open unused, "Forwarding addresses one user may have.";
    MaxNotifys "max_notifys", COUNT, "5", open unused, "Notifications one filter may send.";
    MaxRedirectAddresses "max_redirect_addresses", COUNT, "32", open unused, "Addresses one filter may redirect to.";
    MaxSieveListSize "max_sieve_list_size", COUNT, "64", open unused, "Strings in one list of a filter.";
    MaxVacations "max_vacations", COUNT, "2", open unused, "Vacation actions in one filter.";
    MaxVariables "max_variables", COUNT, "128", open unused, "Variables of one filter.";
    FilterDiscard "filter_discard", Integer(1, 2), "1", open unused, "Where discarded messages go: 1 bitbucket, 2 the channel filter_discard.";
    FilterJettison "filter_jettison", Integer(1, 2), "", open unused, "The same for jettisoned messages.";
    FilterCacheSize "filter_cache_size", COUNT, "", open unused, "Compiled filters that are kept.";
    FilterCacheTimeout "filter_cache_timeout", COUNT, "", open unused, "Seconds for which a compiled filter is kept.";
    AutoreplyTimeoutDefault "autoreply_timeout_default", COUNT, "168", open unused, "Hours between two vacation replies to the same sender.";
    DeliveryOptions "delivery_options", Text, "*mailbox=$M%$\\$2I$_+$2S@ims-ms-daemon, &members=*, *native=$M@native-daemon, /hold=@hold-daemon:$A, *unix=$M@native-daemon, &file=+$F@native-daemon, &@members_offline=*, program=$M%$P@pipe-daemon, #forward=**, *^!autoreply=$M+$D@bitbucket", open used, "How values of mailDeliveryOption become addresses.";
    OptinUserCarryover "optin_user_carryover", SWITCH, "0", open unused, "Whether a user's filter opt-in follows forwarded mail.";
    VacationTemplate "vacation_template", Text, "", open unused, "Where vacation replies are remembered.";

    // Directory connection.
    LdapHost "ldap_host", Text, "", open unused, "Directory servers.";
    LdapPort "ldap_port", Integer(1, 65_535), "389", open unused, "Port of the directory servers.";
    LdapUsername "ldap_username", Text, "", open unused, "Name under which the directory is asked.";
    LdapPassword "ldap_password", Secret, "", open unused, "Password of that name.";
    LdapMaxConnections "ldap_max_connections", COUNT, "1024", open unused, "Most connections to the directory.";
    LdapTimeout "ldap_timeout", COUNT, "180", open unused, "Seconds to wait for the directory.";
    LdapUseAsync "ldap_use_async", COUNT, "0", open unused, "Bits: which look-ups run beside one another.";
    LdapUserRoot "ldap_user_root", Text, "", open unused, "Where users are searched for.";
    LdapDomainRoot "ldap_domain_root", Text, "", open unused, "Where domains are searched for.";
    LdapSchemalevel "ldap_schemalevel", Integer(1, 2), "1", open unused, "Schema level, 1 or 2.";
    LdapSchematag "ldap_schematag", Text, "ims50", open unused, "Object classes that users and groups have.";
    LdapDefaultDomain "ldap_default_domain", Text, "", open unused, "Default domain; base.defaultdomain when unset.";
    LdapLocalHost "ldap_local_host", Text, "", open unused, "Name of this host in the directory; base.hostname when unset.";
    LdapHostAliasList "ldap_host_alias_list", Text, "", open unused, "Other names of this host in mailHost.";
    LdapDomainTimeout "ldap_domain_timeout", ANY, "900", open unused, "Seconds after which an answer about a domain is asked for again.";
    DomainMatchUrl "domain_match_url", Text, "", open unused, "Look-up of vanity domains.";
    DomainMatchCacheSize "domain_match_cache_size", COUNT, "100000", open unused, "Answers about domains that are kept.";
    DomainMatchCacheTimeout "domain_match_cache_timeout", COUNT, "600", open unused, "Seconds for which an answer about a domain is kept.";

    // Directory attribute names.
    LdapUid "ldap_uid", Text, "uid", open unused, "Attribute: login name.";
    LdapPrimaryAddress "ldap_primary_address", Text, "mail", open unused, "Attribute: primary address.";
    LdapAliasAddresses "ldap_alias_addresses", Text, "mailAlternateAddress", open unused, "Attribute: further addresses, reversed to the primary one.";
    LdapEquivalenceAddresses "ldap_equivalence_addresses", Text, "mailEquivalentAddress", open unused, "Attribute: further addresses, left as they are.";
    LdapMailhost "ldap_mailhost", Text, "mailHost", open unused, "Attribute: host of the mailbox.";
    LdapRoutingAddress "ldap_routing_address", Text, "mailRoutingAddress", open unused, "Attribute: address that overrides the others.";
    LdapDeliveryOption "ldap_delivery_option", Text, "mailDeliveryOption", open unused, "Attribute: ways of delivery.";
    LdapForwardingAddress "ldap_forwarding_address", Text, "mailForwardingAddress", open unused, "Attribute: forwarding addresses.";
    LdapProgramInfo "ldap_program_info", Text, "mailProgramDeliveryInfo", open unused, "Attribute: programs that get the mail.";
    LdapDeliveryFile "ldap_delivery_file", Text, "mailDeliveryFileURL", open unused, "Attribute: file that gets the mail.";
    LdapUserStatus "ldap_user_status", Text, "inetUserStatus", open unused, "Attribute: status of a user.";
    LdapUserMailStatus "ldap_user_mail_status", Text, "mailUserStatus", open unused, "Attribute: mail status of a user.";
    LdapGroupStatus "ldap_group_status", Text, "", open unused, "Attribute: status of a group.";
    LdapGroupMailStatus "ldap_group_mail_status", Text, "inetMailGroupStatus", open unused, "Attribute: mail status of a group.";
    LdapDomainAttrStatus "ldap_domain_attr_status", Text, "inetDomainStatus", open unused, "Attribute: status of a domain.";
    LdapDomainAttrMailStatus "ldap_domain_attr_mail_status", Text, "mailDomainStatus", open unused, "Attribute: mail status of a domain.";
    LdapDiskQuota "ldap_disk_quota", Text, "mailQuota", open unused, "Attribute: quota in bytes.";
    LdapMessageQuota "ldap_message_quota", Text, "mailMsgQuota", open unused, "Attribute: quota in messages.";
    LdapBlocklimit "ldap_blocklimit", Text, "mailMsgMaxBlocks", open unused, "Attribute: largest message, in blocks.";
    LdapFilter "ldap_filter", Text, "mailSieveRuleSource", open unused, "Attribute: the user's filter.";
    LdapConversionTag "ldap_conversion_tag", Text, "mailConversionTag", open unused, "Attribute: conversion tags.";
    LdapPreferredLanguage "ldap_preferred_language", Text, "preferredLanguage", open unused, "Attribute: preferred language.";
    LdapMaximumMessageSize "ldap_maximum_message_size", Text, "mgrpMsgMaxSize", open unused, "Attribute: largest message to a group.";
    LdapRejectText "ldap_reject_text", Text, "mgrpMsgRejectText", open unused, "Attribute: text of a group's refusals.";
    LdapRejectAction "ldap_reject_action", Text, "mgrpMsgRejectAction", open unused, "Attribute: what happens to postings a group refuses.";
    LdapAuthPolicy "ldap_auth_policy", Text, "mgrpBroadcasterPolicy", open unused, "Attribute: what a group asks of those who post.";
    LdapAuthPassword "ldap_auth_password", Text, "mgrpAuthPassword", open unused, "Attribute: password for postings to a group.";
    LdapAuthDomain "ldap_auth_domain", Text, "mgrpAllowedDomain", open unused, "Attribute: domains that may post.";
    LdapCantDomain "ldap_cant_domain", Text, "mgrpDisallowedDomain", open unused, "Attribute: domains that may not post.";
    LdapAuthUrl "ldap_auth_url", Text, "mgrpAllowedBroadcaster", open unused, "Attribute: who may post.";
    LdapCantUrl "ldap_cant_url", Text, "mgrpDisallowedBroadcaster", open unused, "Attribute: who may not post.";
    LdapErrorsTo "ldap_errors_to", Text, "mgrpErrorsTo", open unused, "Attribute: envelope From of a group's mail.";
    LdapModeratorUrl "ldap_moderator_url", Text, "mgrpModerator", open unused, "Attribute: moderators.";
    LdapGroupRfc822 "ldap_group_rfc822", Text, "mgrpRFC822MailMember", open unused, "Attribute: members by address.";
    LdapGroupDn "ldap_group_dn", Text, "uniqueMember", open unused, "Attribute: members by name of entry.";
    LdapGroupUrl1 "ldap_group_url1", Text, "memberURL", open unused, "Attribute: members by search.";
    LdapGroupUrl2 "ldap_group_url2", Text, "mgrpDeliverTo", open unused, "Attribute: members by search.";
    LdapExpandable "ldap_expandable", Text, "expandable", open unused, "Attribute: whether members may be shown.";
    LdapUserObjectClasses "ldap_user_object_classes", Text, "", open unused, "Object classes of a user, when the schema tag's are not meant.";
    LdapGroupObjectClasses "ldap_group_object_classes", Text, "", open unused, "Object classes of a group, when the schema tag's are not meant.";
    LdapSourceChannel "ldap_source_channel", Text, "", open unused, "Attribute: source channel of a user.";
    LdapDomainAttrSourceChannel "ldap_domain_attr_source_channel", Text, "", open unused, "Attribute: source channel of a domain.";
    LdapDetourhostOptin "ldap_detourhost_optin", Text, "", open unused, "Attribute: whether a user's mail takes the detour.";
    LdapSpare1 "ldap_spare_1", Text, "", open unused, "Attribute: spare 1.";
    LdapSpare2 "ldap_spare_2", Text, "", open unused, "Attribute: spare 2.";
    LdapSpare3 "ldap_spare_3", Text, "", open unused, "Attribute: spare 3.";
    LdapSpare4 "ldap_spare_4", Text, "", open unused, "Attribute: spare 4.";
    LdapSpare5 "ldap_spare_5", Text, "", open unused, "Attribute: spare 5.";
    LdapSpare6 "ldap_spare_6", Text, "", open unused, "Attribute: spare 6.";
    LdapSpare7 "ldap_spare_7", Text, "", open unused, "Attribute: spare 7.";
    LdapSpare8 "ldap_spare_8", Text, "", open unused, "Attribute: spare 8.";
    LdapSpare9 "ldap_spare_9", Text, "", open unused, "Attribute: spare 9.";
    LdapSpare10 "ldap_spare_10", Text, "", open unused, "Attribute: spare 10.";
    LdapSpare11 "ldap_spare_11", Text, "", open unused, "Attribute: spare 11.";
    LdapSpare12 "ldap_spare_12", Text, "", open unused, "Attribute: spare 12.";
    LdapSpare13 "ldap_spare_13", Text, "", open unused, "Attribute: spare 13.";
    LdapSpare14 "ldap_spare_14", Text, "", open unused, "Attribute: spare 14.";
    LdapSpare15 "ldap_spare_15", Text, "", open unused, "Attribute: spare 15.";
    LdapSpare16 "ldap_spare_16", Text, "", open unused, "Attribute: spare 16.";
    LdapSpare17 "ldap_spare_17", Text, "", open unused, "Attribute: spare 17.";
    LdapSpare18 "ldap_spare_18", Text, "", open unused, "Attribute: spare 18.";
    LdapDomainAttrBasedn "ldap_domain_attr_basedn", Text, "inetDomainBaseDN", open unused, "Attribute: where a domain's users lie.";
    LdapDomainAttrCanonical "ldap_domain_attr_canonical", Text, "inetCanonicalDomainName", open unused, "Attribute: canonical name of a domain.";
    LdapDomainAttrRoutingHosts "ldap_domain_attr_routing_hosts", Text, "mailRoutingHosts", open unused, "Attribute: hosts that serve a domain.";
    LdapDomainAttrSmarthost "ldap_domain_attr_smarthost", Text, "mailRoutingSmartHost", open unused, "Attribute: host for a domain's unknown users.";
    LdapDomainAttrCatchallAddress "ldap_domain_attr_catchall_address", Text, "mailDomainCatchallAddress", open unused, "Attribute: address for a domain's unknown users.";
    LdapDomainAttrBlocklimit "ldap_domain_attr_blocklimit", Text, "mailDomainMsgMaxBlocks", open unused, "Attribute: largest message to a domain, in blocks.";
    LdapDomainAttrReportAddress "ldap_domain_attr_report_address", Text, "mailDomainReportAddress", open unused, "Attribute: postmaster of a domain's notices.";
    LdapDomainAttrConversionTag "ldap_domain_attr_conversion_tag", Text, "mailDomainConversionTag", open unused, "Attribute: conversion tags of a domain.";
    LdapDomainAttrFilter "ldap_domain_attr_filter", Text, "mailDomainSieveRuleSource", open unused, "Attribute: filter of a domain.";
    LdapDomainAttrUidSeparator "ldap_domain_attr_uid_separator", Text, "domainUidSeparator", open unused, "Attribute: character between user and domain in logins.";

    // Queue and service.
    Enable "enable", SWITCH, "1", open unused, "Whether start-msg starts the MTA.";
    DequeueMap "dequeue_map", SWITCH, "1", open unused, "Whether queue files are mapped into memory.";
    QueueCacheMode "queue_cache_mode", COUNT, "0", open unused, "Kind of queue cache.";
    Spamfilter1ConfigFile "spamfilter1_config_file", Text, "", open unused, "Configuration of filter 1.";
    Spamfilter1Library "spamfilter1_library", Text, "", open unused, "Library of filter 1.";
    Spamfilter1Optional "spamfilter1_optional", ANY, "0", open unused, "What happens when filter 1 fails.";
    Spamfilter1StringAction "spamfilter1_string_action", Text, "", open unused, "What a verdict of filter 1 does.";
    Spamfilter1NullAction "spamfilter1_null_action", Text, "", open unused, "What an empty verdict of filter 1 does.";
    Spamfilter2ConfigFile "spamfilter2_config_file", Text, "", open unused, "Configuration of filter 2.";
    Spamfilter2Library "spamfilter2_library", Text, "", open unused, "Library of filter 2.";
    Spamfilter2Optional "spamfilter2_optional", ANY, "0", open unused, "What happens when filter 2 fails.";
    Spamfilter2StringAction "spamfilter2_string_action", Text, "", open unused, "What a verdict of filter 2 does.";
    Spamfilter2NullAction "spamfilter2_null_action", Text, "", open unused, "What an empty verdict of filter 2 does.";
    Spamfilter3ConfigFile "spamfilter3_config_file", Text, "", open unused, "Configuration of filter 3.";
    Spamfilter3Library "spamfilter3_library", Text, "", open unused, "Library of filter 3.";
    Spamfilter3Optional "spamfilter3_optional", ANY, "0", open unused, "What happens when filter 3 fails.";
    Spamfilter3StringAction "spamfilter3_string_action", Text, "", open unused, "What a verdict of filter 3 does.";
    Spamfilter3NullAction "spamfilter3_null_action", Text, "", open unused, "What an empty verdict of filter 3 does.";
    Spamfilter4ConfigFile "spamfilter4_config_file", Text, "", open unused, "Configuration of filter 4.";
    Spamfilter4Library "spamfilter4_library", Text, "", open unused, "Library of filter 4.";
    Spamfilter4Optional "spamfilter4_optional", ANY, "0", open unused, "What happens when filter 4 fails.";
    Spamfilter4StringAction "spamfilter4_string_action", Text, "", open unused, "What a verdict of filter 4 does.";
    Spamfilter4NullAction "spamfilter4_null_action", Text, "", open unused, "What an empty verdict of filter 4 does.";
    Spamfilter5ConfigFile "spamfilter5_config_file", Text, "", open unused, "Configuration of filter 5.";
    Spamfilter5Library "spamfilter5_library", Text, "", open unused, "Library of filter 5.";
    Spamfilter5Optional "spamfilter5_optional", ANY, "0", open unused, "What happens when filter 5 fails.";
    Spamfilter5StringAction "spamfilter5_string_action", Text, "", open unused, "What a verdict of filter 5 does.";
    Spamfilter5NullAction "spamfilter5_null_action", Text, "", open unused, "What an empty verdict of filter 5 does.";
    Spamfilter6ConfigFile "spamfilter6_config_file", Text, "", open unused, "Configuration of filter 6.";
    Spamfilter6Library "spamfilter6_library", Text, "", open unused, "Library of filter 6.";
    Spamfilter6Optional "spamfilter6_optional", ANY, "0", open unused, "What happens when filter 6 fails.";
    Spamfilter6StringAction "spamfilter6_string_action", Text, "", open unused, "What a verdict of filter 6 does.";
    Spamfilter6NullAction "spamfilter6_null_action", Text, "", open unused, "What an empty verdict of filter 6 does.";
    Spamfilter7ConfigFile "spamfilter7_config_file", Text, "", open unused, "Configuration of filter 7.";
    Spamfilter7Library "spamfilter7_library", Text, "", open unused, "Library of filter 7.";
    Spamfilter7Optional "spamfilter7_optional", ANY, "0", open unused, "What happens when filter 7 fails.";
    Spamfilter7StringAction "spamfilter7_string_action", Text, "", open unused, "What a verdict of filter 7 does.";
    Spamfilter7NullAction "spamfilter7_null_action", Text, "", open unused, "What an empty verdict of filter 7 does.";
    Spamfilter8ConfigFile "spamfilter8_config_file", Text, "", open unused, "Configuration of filter 8.";
    Spamfilter8Library "spamfilter8_library", Text, "", open unused, "Library of filter 8.";
    Spamfilter8Optional "spamfilter8_optional", ANY, "0", open unused, "What happens when filter 8 fails.";
    Spamfilter8StringAction "spamfilter8_string_action", Text, "", open unused, "What a verdict of filter 8 does.";
    Spamfilter8NullAction "spamfilter8_null_action", Text, "", open unused, "What an empty verdict of filter 8 does.";
    BrightmailLibrary "brightmail_library", Text, "", open unused, "Obsolete filter plug-in.";
    BrightmailConfigFile "brightmail_config_file", Text, "", open unused, "Obsolete filter plug-in.";
    BrightmailOptional "brightmail_optional", Text, "", open unused, "Obsolete filter plug-in.";
    BrightmailNullAction "brightmail_null_action", Text, "", open unused, "Obsolete filter plug-in.";
    BrightmailStringAction "brightmail_string_action", Text, "", open unused, "Obsolete filter plug-in.";
    SrsDomain "srs_domain", Text, "", open unused, "Domain of rewritten sender addresses.";
    SrsMaxage "srs_maxage", COUNT, "14", open unused, "Days for which a rewritten sender address is good.";
    SrsSecrets "srs_secrets", Secret, "", open unused, "Keys of rewritten sender addresses, the newest first.";
    SrsHashAlgorithm "srs_hash_algorithm", Text, "", open unused, "Digest of rewritten sender addresses.";

    // Ours.
    DnsNameservers "dns_nameservers", Endpoints, "", open used, "Name servers to ask, as a list of address:port; the system's when unset.";
    TlsCertificate "tls_certificate", Text, "", open used, "File with the server's certificate chain (PEM).";
    TlsKey "tls_key", Text, "", open used, "File with the key of that certificate (PEM).";
}
