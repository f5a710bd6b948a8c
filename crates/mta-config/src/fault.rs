//! What is wrong with a configuration, in the two-line form that operators know.

use std::fmt;
use std::path::PathBuf;

/// Where in which file something stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Its line, counted from 1; nothing where no line is at fault.
    pub line: Option<usize>,
    /// The line as it stands in the file.
    pub text: Option<String>,
}

/// Texts of load errors. The first group is the product's, the second our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// An alias whose value is malformed.
    #[error("bad equivalence for alias")]
    BadEquivalence,
    /// A file that the alias file includes and that cannot be read.
    #[error("cannot open alias include file")]
    CannotOpenAliasInclude,
    /// Files that include each other too deep.
    #[error("include nesting too deep")]
    IncludeTooDeep,
    /// A line of a text database without a value.
    #[error("no value for key in text database")]
    KeyWithoutValue,
    /// An indented line that belongs to no mapping table.
    #[error("mapping entry outside of a table")]
    EntryOutside,
    /// Two aliases with one left side.
    #[error("duplicate aliases found")]
    DuplicateAlias,
    /// Two channels, or a channel and an extra host, with one host name.
    #[error("duplicate host in channel table")]
    DuplicateHost,
    /// Two mapping tables of one name.
    #[error("duplicate mapping name found")]
    DuplicateMapping,
    /// A mapping table's name over 32 characters.
    #[error("mapping name is too long")]
    MappingNameTooLong,
    /// A local host alias, extra host or proper name over 128 octets.
    #[error("local host alias or proper name too long for system")]
    HostAliasTooLong,
    /// An alias without value.
    #[error("no equivalence addresses for alias")]
    NoEquivalence,
    /// A channel without official host name.
    #[error("no official host name for channel")]
    NoOfficialHost,
    /// An official host name over 128 octets.
    #[error("official host name is too long")]
    OfficialHostTooLong,
    /// Character set tables of another version.
    #[error("error initializing ch_facility compiled character set version mismatch")]
    CharsetVersion,
    /// A file that is missing or cannot be read.
    #[error("cannot open configuration file")]
    CannotOpen,
    /// A file that others than its owner may change.
    #[error("configuration file has the wrong owner or mode")]
    Ownership,
    /// Text that is no XML, or elements where they do not belong.
    #[error("malformed configuration file")]
    Malformed,
    /// An option that its group does not have.
    #[error("unknown option")]
    UnknownOption,
    /// An MTA option with a value that is none.
    #[error("invalid value for MTA option")]
    BadMtaValue,
    /// Any other option with a value that is none.
    #[error("invalid value for option")]
    BadValue,
    /// A line over its limit.
    #[error("line too long")]
    LineTooLong,
    /// A rule without template.
    #[error("rewrite rule without template")]
    RuleWithoutTemplate,
    /// White space inside a template that is not quoted.
    #[error("unquoted white space in template")]
    UnquotedSpace,
    /// A channel name over 32 characters.
    #[error("channel name is too long")]
    ChannelNameTooLong,
    /// A channel name with other characters than it may have.
    #[error("invalid channel name")]
    BadChannelName,
    /// Two channels of one name.
    #[error("duplicate channel name")]
    DuplicateChannel,
    /// There is no channel `l`, or another one stands before it.
    #[error("first channel is not the local channel")]
    NoLocalChannel,
    /// A mapping table's name that does not start with a letter.
    #[error("invalid mapping name")]
    BadMappingName,
    /// A mapping entry that the mapper cannot read.
    #[error("invalid mapping pattern")]
    BadMappingPattern,
    /// An alias over 128 characters.
    #[error("alias name is too long")]
    AliasNameTooLong,
    /// A service, pool or task whose name or option is no use.
    #[error("invalid name")]
    BadName,
    /// No account to run as.
    #[error("no server user")]
    NoUser,
}

/// Texts of warnings; they change neither the exit status nor the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WarningKind {
    /// An option of `mta` that the table does not have.
    #[error("unknown MTA option")]
    UnknownMtaOption,
    /// A word of a channel that is no option.
    #[error("unknown keyword on channel taken as group id")]
    GroupWord,
    /// A key that a text database has already; the first counts.
    #[error("duplicate key in text database ignored")]
    DuplicateKey,
    /// A line behind `defaults` or `nodefaults` where none belongs.
    #[error("second line ignored after defaults")]
    SecondLineAfterDefaults,
    /// More words than two on a line of host names.
    #[error("word behind the host names of a channel ignored")]
    MoreHostWords,
    /// An entry right below the name of its table.
    #[error("no blank line after mapping name")]
    NoBlankAfterName,
    /// An option in a legacy file that its section does not have.
    #[error("unknown option ignored")]
    UnknownLegacyOption,
    /// A periodic job whose times no crontab line can say.
    #[error("periodic job ignored, make it a task of the scheduler")]
    PeriodicJob,
    /// A rule whose host no channel owns.
    #[error("rewrite rule routes to unknown host")]
    UnknownRoute,
    /// A channel that would be run names a pool that is not there.
    #[error("pool not defined for channel")]
    UnknownPool,
    /// CONVERSIONS sends mail through a channel that is not there; it would have to wait.
    #[error("CONVERSIONS names a channel that is not defined")]
    NoConversionChannel,
    /// A mapping table that nothing refers to.
    #[error("mapping table not referenced")]
    UnusedMapping,
    /// Alias options that are not known.
    #[error("unknown alias option")]
    UnknownAliasOption,
    /// Delivery windows that cannot be read count as always.
    #[error("delivery window not understood, taken as always")]
    BadWindow,
    /// A rewrite rule that probably means something else.
    #[error("doubtful rewrite rule")]
    OddRule,
    /// A sequence in a mapping table that probably means something else.
    #[error("doubtful mapping entry")]
    OddMapping,
    /// A clause of `delivery_options` that cannot be read.
    #[error("delivery option clause not understood")]
    BadDeliveryOption,
}

/// One load error. Displays as `Error in mm_init: …` with the offending line below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The offending name.
    pub name: String,
    /// Where.
    pub origin: Origin,
}

/// One warning. Displays as `Warning in mm_init: …` with the line in question below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is odd.
    pub kind: WarningKind,
    /// The name in question.
    pub name: String,
    /// Where.
    pub origin: Origin,
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        two_lines(f, "Error", &self.kind, &self.name, &self.origin)
    }
}

impl std::error::Error for LoadFault {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        two_lines(f, "Warning", &self.kind, &self.name, &self.origin)
    }
}

fn two_lines(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    kind: &dyn fmt::Display,
    name: &str,
    origin: &Origin,
) -> fmt::Result {
    write!(f, "{what} in mm_init: {kind}")?;
    if !name.is_empty() {
        write!(f, ": {}", visible(name))?;
    }
    write!(f, " - {}", origin.file.display())?;
    if let Some(line) = origin.line {
        write!(f, ", error line #{line}")?;
    }
    if let Some(text) = &origin.text {
        write!(f, "\n  {}", visible(text))?;
    }
    Ok(())
}

/// A text with its control characters made visible, so that it can go to a terminal.
fn visible(text: &str) -> String {
    let show = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_file_line_and_text() {
        let fault = LoadFault {
            kind: FaultKind::DuplicateAlias,
            name: "jane.doe".into(),
            origin: Origin {
                file: "/opt/msg/config/aliases".into(),
                line: Some(14),
                text: Some("jane.doe:\tjane@ims-ms-daemon".into()),
            },
        };
        assert_eq!(
            fault.to_string(),
            "Error in mm_init: duplicate aliases found: jane.doe - /opt/msg/config/aliases, \
             error line #14\n  jane.doe:\\tjane@ims-ms-daemon"
        );
    }

    #[test]
    fn no_line_no_second_line() {
        let warning = Warning {
            kind: WarningKind::UnknownPool,
            name: "tcp_x".into(),
            origin: Origin {
                file: "/opt/msg/config/config.xml".into(),
                ..Origin::default()
            },
        };
        assert_eq!(
            warning.to_string(),
            "Warning in mm_init: pool not defined for channel: tcp_x - /opt/msg/config/config.xml"
        );
    }
}
