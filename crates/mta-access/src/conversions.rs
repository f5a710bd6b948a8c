//! CONVERSIONS: which mail passes a conversion channel on its way.

use crate::arguments::is_incomplete;
use mta_config::conversions::channel_of;
use mta_config::{MtaOption, MtaOptions};
use mta_mapping::{Callouts, Input, Silent, Tables};

/// Bit of `include_conversiontag`: the tags stand in the probe.
const TAGS: i64 = 2;

/// A message on its way from one channel to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversionProbe<'a> {
    /// The channel that brings it.
    pub source: &'a str,
    /// The channel that is to take it.
    pub destination: &'a str,
    /// The conversion tags of the recipient.
    pub tags: &'a [String],
}

/// What CONVERSIONS says of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversion {
    /// The message goes where it was going.
    Direct,
    /// It goes through this channel.
    Through(String),
    /// The table could not be asked.
    Unknown,
}

/// Asks CONVERSIONS with `IN-CHAN=…;OUT-CHAN=…;CONVERT`, in front of the last word `TAG=…;` if bit 1 of
/// `include_conversiontag` is set. The output is read by [`channel_of`]; no match means `No`.
#[must_use]
pub fn conversion(
    mta: &MtaOptions,
    mappings: &Tables,
    probe: &ConversionProbe<'_>,
    callouts: &dyn Callouts,
) -> Conversion {
    const TABLE: &str = "CONVERSIONS";
    if mappings.get(TABLE).is_none() {
        return Conversion::Direct;
    }
    let tag = if mta.int(MtaOption::IncludeConversiontag) & TAGS != 0 {
        format!("TAG={};", probe.tags.join(","))
    } else {
        String::new()
    };
    let text = format!(
        "IN-CHAN={};OUT-CHAN={};{tag}CONVERT",
        probe.source, probe.destination
    );
    let mapped = mappings.map(TABLE, &Input::of(&text), callouts, &mut Silent);
    if is_incomplete(&mapped) {
        return Conversion::Unknown;
    }
    if !mapped.matched {
        return Conversion::Direct;
    }
    match channel_of(&mapped.output) {
        // What comes out of the channel does not go in again.
        Some(channel) if channel.eq_ignore_ascii_case(probe.source) => Conversion::Direct,
        Some(channel) => Conversion::Through(channel.to_owned()),
        None => Conversion::Direct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_config::value::Value;
    use mta_mapping::{Entry, NoCallouts};

    fn ask(mta: &MtaOptions, pattern: &str, template: &str, source: &str) -> Conversion {
        let mut tables = Tables::default();
        let entries = [Entry::new(pattern, template)];
        tables.insert("CONVERSIONS", &entries).unwrap();
        let probe = ConversionProbe {
            source,
            destination: "ims-ms",
            tags: &["a".to_owned(), "b".to_owned()],
        };
        conversion(mta, &tables, &probe, &NoCallouts)
    }

    #[test]
    fn words_decide() {
        let mta = MtaOptions::default();
        let through = |name: &str| Conversion::Through(name.to_owned());
        for (template, decision) in [
            ("Yes", through("conversion")),
            ("Yes,Channel=scan", through("scan")),
            ("No", Conversion::Direct),
        ] {
            let pattern = "IN-CHAN=tcp_local;OUT-CHAN=*;CONVERT";
            assert_eq!(
                ask(&mta, pattern, template, "tcp_local"),
                decision,
                "{template}"
            );
            assert_eq!(
                ask(&mta, pattern, template, "tcp_other"),
                Conversion::Direct
            );
        }
        let all = "IN-CHAN=*";
        assert_eq!(ask(&mta, all, "Yes", "conversion"), Conversion::Direct);
        assert_eq!(
            ask(&mta, all, "Yes,Channel=scan", "scan"),
            Conversion::Direct
        );
        assert_eq!(
            ask(&mta, all, "Yes,Channel=scan", "conversion"),
            through("scan")
        );
        let none = Tables::default();
        let probe = ConversionProbe {
            source: "a",
            destination: "b",
            tags: &[],
        };
        let asked = conversion(&mta, &none, &probe, &NoCallouts);
        assert_eq!(asked, Conversion::Direct);
    }

    #[test]
    fn tags_stand_in_the_probe_when_asked() {
        let mut mta = MtaOptions::default();
        let tagged = "IN-CHAN=l;OUT-CHAN=ims-ms;TAG=a,b;CONVERT";
        assert_eq!(ask(&mta, tagged, "Yes", "l"), Conversion::Direct);
        mta.set(MtaOption::IncludeConversiontag, Value::Integer(2));
        assert!(matches!(
            ask(&mta, tagged, "Yes", "l"),
            Conversion::Through(_)
        ));
    }
}
