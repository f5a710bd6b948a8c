//! What `strace -f -y` wrote down, as calls with a beginning and an end.

use std::collections::HashMap;

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) succeeded: bool,
    /// The line on which it began.
    pub(crate) began: usize,
    /// The line on which it returned; another one than `began` if other threads came between.
    pub(crate) ended: usize,
}

impl Call {
    /// The path behind an argument `12</path>`; nothing for a socket.
    pub(crate) fn path(&self, index: usize) -> Option<&str> {
        let (_, rest) = self.arguments.get(index)?.split_once('<')?;
        let path = rest.strip_suffix('>')?;
        path.starts_with('/').then_some(path)
    }

    /// The path that a directory and a name (arguments `index` and the next) make.
    pub(crate) fn path_at(&self, index: usize) -> Option<String> {
        let name = self.name_at(index + 1)?;
        if name.starts_with('/') {
            return Some(name.to_owned());
        }
        Some(format!("{}/{name}", self.path(index)?))
    }

    /// The text of a quoted argument.
    pub(crate) fn name_at(&self, index: usize) -> Option<&str> {
        self.arguments
            .get(index)?
            .strip_prefix('"')?
            .strip_suffix('"')
    }

    /// The path that an `open` returned does not matter; its flags do.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        let mut flags = self.arguments.iter().flat_map(|word| word.split('|'));
        flags.any(|word| word == flag)
    }
}

/// Reads a whole trace; lines about signals and exits are left out.
pub(crate) fn parse(text: &str) -> Vec<Call> {
    let mut open: HashMap<u32, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let (Ok(thread), rest) = (thread.parse(), rest.trim_start()) else {
            continue;
        };
        let unfinished = rest
            .strip_suffix("<unfinished ...>")
            .or_else(|| rest.strip_suffix("<detached ...>"));
        if let Some(first) = unfinished {
            open.insert(thread, (at, first.trim_end().to_owned()));
        } else if rest.starts_with("<... ") {
            let end = rest.split_once(" resumed>").map(|(_, end)| end);
            if let (Some((began, first)), Some(end)) = (open.remove(&thread), end) {
                calls.extend(call(thread, &format!("{first}{end}"), began, at));
            }
        } else {
            calls.extend(call(thread, rest, at, at));
        }
    }
    // Killed, or let go, in the middle: begun, not seen to end.
    for (thread, (began, first)) in open {
        calls.extend(call(thread, &format!("{first}) = ?"), began, usize::MAX));
    }
    calls.sort_by_key(|call| call.began);
    calls
}

fn call(thread: u32, text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None;
    }
    let (inside, result) = rest.rsplit_once(") = ").or_else(|| {
        // Padded for the eye: `fsync(3)      = 0`.
        let (inside, result) = rest.rsplit_once(" = ")?;
        Some((inside.trim_end().strip_suffix(')')?, result))
    })?;
    Some(Call {
        thread,
        name: name.to_owned(),
        arguments: split(inside),
        succeeded: !result.starts_with('-') && !result.starts_with('?'),
        began,
        ended,
    })
}

/// Arguments, at the commas that are in no quotes, brackets or angle brackets.
fn split(inside: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    let mut arguments = vec![String::new()];
    for c in inside.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            match c {
                '"' => quoted = true,
                '[' | '{' | '(' | '<' => depth += 1,
                ']' | '}' | ')' | '>' => depth -= 1,
                ',' if depth == 0 => {
                    arguments.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        arguments.last_mut().expect("one at least").push(c);
    }
    arguments
        .into_iter()
        .map(|word| word.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_call_has_arguments_and_result() {
        let calls = parse(concat!(
            "812   renameat2(9</q/l>, \".tmp-a,b\", 9</q/l>, \"ZZa.00\", RENAME_NOREPLACE) = 0\n",
            "812   fsync(12</q/l/ZZa.00>)            = -1 EIO (Input/output error) (INJECTED)\n",
            "813   +++ exited with 0 +++\n",
        ));
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].path_at(0).unwrap(), "/q/l/.tmp-a,b");
        assert_eq!(calls[0].path_at(2).unwrap(), "/q/l/ZZa.00");
        assert!(calls[0].succeeded && calls[0].has_flag("RENAME_NOREPLACE"));
        assert_eq!(calls[1].path(0), Some("/q/l/ZZa.00"));
        assert!(!calls[1].succeeded);
    }

    #[test]
    fn a_call_of_two_lines_is_joined() {
        let calls = parse(concat!(
            "7 fsync(12</q/l/ZZa.00> <unfinished ...>\n",
            "8 sendto(5<socket:[99]>, \"250 2.5.0 Ok, \\\"x\\\"\\r\\n\", 21, 0, NULL, 0) = 21\n",
            "7 <... fsync resumed>)             = 0\n",
        ));
        assert_eq!((calls[0].began, calls[0].ended), (0, 2));
        assert!(calls[0].succeeded);
        assert_eq!(calls[0].path(0), Some("/q/l/ZZa.00"));
        assert_eq!(calls[1].path(0), None, "a socket");
        assert_eq!(calls[1].arguments.len(), 6);
    }

    #[test]
    fn a_call_that_never_returns_is_kept() {
        let calls =
            parse("7 fsync(12</q/l/ZZa.00> <unfinished ...>\n7 +++ killed by SIGKILL +++\n");
        assert_eq!(calls.len(), 1);
        assert!(!calls[0].succeeded);
        assert_eq!(calls[0].ended, usize::MAX);
    }
}
