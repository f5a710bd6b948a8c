//! `imsimta test -image`: is everything that was compiled still what was written?

use crate::context::{Context, Failure, Outcome};
use crate::qm::explained;
use mta_command::output;
use mta_command::switches::Words;
use mta_config::database::Kind;
use mta_config::image::{self, ImageError, ImageStatus, Verified};
use mta_config::table::{Table, TableError};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// One file that was verified.
#[derive(Debug, Serialize)]
struct Row {
    file: PathBuf,
    /// Records that were read; nothing for the image's core.
    records: Option<u64>,
    /// What is wrong, if something is.
    fault: Option<String>,
    /// What is to be known besides.
    note: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct View {
    files: Vec<Row>,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.files {
            let file = row.file.display();
            match (&row.fault, row.records) {
                (Some(fault), _) => writeln!(f, "{file}: {}", output::visible(fault))?,
                (None, Some(records)) => writeln!(f, "{file}: good, {records} records")?,
                (None, None) => writeln!(f, "{file}: good")?,
            }
            if let Some(note) = row.note {
                writeln!(f, "  {note}")?;
            }
        }
        Ok(())
    }
}

pub(super) fn run(context: &Context, words: &Words) -> Outcome {
    let root = &context.root;
    let mut files = Vec::new();
    let verified = image::verify(root);
    let missing = matches!(verified, Err(ImageError::Missing { .. }));
    files.push(Row {
        file: root.image(),
        records: None,
        fault: match &verified {
            Err(error) if !missing => Some(explained(error)),
            _ => None,
        },
        note: match image::status(root) {
            ImageStatus::Missing => Some("there is none: every program reads the text"),
            ImageStatus::Stale => Some("the text is newer; run imsimta cnbuild"),
            ImageStatus::Current | ImageStatus::Unreadable => None,
        },
    });
    if let Ok(Verified {
        tables: Some((file, records)),
    }) = verified
    {
        files.push(Row {
            file,
            records: Some(records),
            fault: None,
            note: None,
        });
    }
    for kind in Kind::ALL {
        let path = kind.path(root);
        if path.exists() {
            files.push(database(path));
        }
    }
    let view = View { files };
    output::show(&view, words.is_on("json", false));
    if view.files.iter().any(|row| row.fault.is_some()) {
        return Err(Failure::Silent(1));
    }
    Ok(())
}

fn database(path: PathBuf) -> Row {
    let mut records = 0;
    let read = Table::open(&path).and_then(|table| {
        table.for_each(|_, _| {
            records += 1;
            Ok::<_, TableError>(())
        })
    });
    Row {
        file: path,
        records: Some(records),
        fault: read.err().map(|error| explained(&error)),
        note: None,
    }
}
