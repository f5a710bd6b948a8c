//! `qm top`: how often values occur.

use mta_command::output::visible;
use serde::Serialize;
use std::fmt;

/// One value and its frequency.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Count {
    pub(crate) count: u64,
    pub(crate) value: String,
}

/// The values of one field, most frequent first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Field {
    pub(crate) field: &'static str,
    pub(crate) values: Vec<Count>,
}

/// All fields that were asked for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Top {
    pub(crate) fields: Vec<Field>,
}

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Field { field, values } in &self.fields {
            writeln!(f, "Top {field} fields\n  Count  Value")?;
            for Count { count, value } in values {
                writeln!(f, "{count:>7}  {}", visible(value))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_as_documented() {
        let count = |count, value: &str| Count {
            count,
            value: value.to_owned(),
        };
        let top = Top {
            fields: vec![Field {
                field: "subject",
                values: vec![count(57, "Cheap offers"), count(4, "Undelivered mail")],
            }],
        };
        let expected = "\
Top subject fields
  Count  Value
     57  Cheap offers
      4  Undelivered mail
";
        assert_eq!(top.to_string(), expected);
    }
}
