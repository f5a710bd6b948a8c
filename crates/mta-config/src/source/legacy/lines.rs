//! From a file to logical lines: comments dropped, continued lines joined, included files put in
//! place, each line with the place where it began.

use super::{Files, Findings};
use crate::fault::FaultKind;
use crate::source::Text;
use crate::source::tree::File;

/// What the files of one kind allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Longest physical line, in characters.
    pub(super) longest: usize,
    /// What begins a comment in column 1.
    pub(super) comments: &'static [char],
    /// How deep includes may lie below the file, and the fault of one that cannot be read;
    /// nothing where `<` has no meaning.
    pub(super) includes: Option<(usize, FaultKind)>,
}

/// `imta.cnf`.
pub(super) const CONFIGURATION: Dialect = Dialect {
    longest: 1024,
    comments: &['!'],
    includes: Some((3, FaultKind::CannotOpen)),
};

/// `mappings`.
pub(super) const MAPPINGS: Dialect = Dialect {
    longest: 4096,
    comments: &['!'],
    includes: Some((10, FaultKind::CannotOpen)),
};

/// `aliases`.
pub(super) const ALIASES: Dialect = Dialect {
    longest: 1024,
    comments: &['!'],
    includes: Some((3, FaultKind::CannotOpenAliasInclude)),
};

/// `option.dat` and the option files of channels.
pub(super) const OPTIONS: Dialect = Dialect {
    longest: 1024,
    comments: &['!', '#', ';'],
    includes: None,
};

/// `dispatcher.cnf` and `job_controller.cnf`.
pub(super) const PROCESSES: Dialect = Dialect {
    longest: 1024,
    comments: &['!'],
    includes: Some((3, FaultKind::CannotOpen)),
};

/// `imta_tailor` and `conversions`.
pub(super) const PLAIN: Dialect = Dialect {
    longest: 1024,
    comments: &['!'],
    includes: None,
};

/// A logical line and where it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Without its end, continued lines joined.
    pub(super) text: String,
    /// The file.
    pub(super) file: File,
    /// The line in it, counted from 1.
    pub(super) number: usize,
}

impl Line {
    /// Nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        is_blank(&self.text)
    }

    /// Begins with a blank or a tab.
    pub(super) fn is_indented(&self) -> bool {
        self.text.starts_with([' ', '\t'])
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// The logical lines of a file that was read, with those of the files it includes.
pub(super) fn lines(
    text: Text,
    dialect: Dialect,
    files: &mut Files<'_>,
    findings: &mut Findings,
) -> Vec<Line> {
    let mut joiner = Joiner {
        dialect,
        files,
        findings,
        lines: Vec::new(),
    };
    joiner.file(text, 0);
    joiner.lines
}

struct Joiner<'a, 'r> {
    dialect: Dialect,
    files: &'a mut Files<'r>,
    findings: &'a mut Findings,
    lines: Vec<Line>,
}

impl Joiner<'_, '_> {
    fn file(&mut self, text: Text, depth: usize) {
        let file = self.files.keep(text);
        // The text is taken out while it is read: including another file adds to the list.
        let content = self.files.take(file);
        let mut pending: Option<Line> = None;
        for (at, physical) in content.lines().enumerate() {
            let number = at + 1;
            let physical = physical.strip_suffix('\r').unwrap_or(physical);
            if physical.starts_with(self.dialect.comments) {
                continue;
            }
            if physical.chars().count() > self.dialect.longest {
                self.findings
                    .fault_at(FaultKind::LineTooLong, "", file, number);
                continue;
            }
            if let Some(mut line) = pending.take() {
                if is_blank(physical) {
                    self.lines.push(line);
                } else {
                    let rest = physical.trim_start_matches([' ', '\t']);
                    if rest.len() != physical.len() {
                        line.text.push(' ');
                    }
                    line.text.push_str(rest);
                    self.end(line, &mut pending);
                    continue;
                }
            }
            match (self.dialect.includes, physical.strip_prefix('<')) {
                (Some(includes), Some(name)) => {
                    self.include(name.trim(), includes, depth, file, number);
                }
                _ => {
                    let line = Line {
                        text: physical.to_owned(),
                        file,
                        number,
                    };
                    self.end(line, &mut pending);
                }
            }
        }
        self.lines.extend(pending);
        self.files.put_back(file, content);
    }

    /// Ends a line, unless its last character says that it goes on.
    fn end(&mut self, mut line: Line, pending: &mut Option<Line>) {
        if line.text.ends_with('\\') {
            line.text.pop();
            *pending = Some(line);
        } else {
            self.lines.push(line);
        }
    }

    fn include(
        &mut self,
        name: &str,
        (deepest, unreadable): (usize, FaultKind),
        depth: usize,
        file: File,
        number: usize,
    ) {
        if depth >= deepest {
            self.findings
                .fault_at(FaultKind::IncludeTooDeep, name, file, number);
            return;
        }
        let path = self.files.root.resolve(name);
        match self.files.read(&path) {
            Ok(text) => self.file(text, depth + 1),
            Err(reason) => {
                let name = format!("{} ({reason})", path.display());
                self.findings.fault_at(unreadable, &name, file, number);
            }
        }
    }
}
