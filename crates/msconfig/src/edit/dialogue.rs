//! The dialogue: commands at a prompt, changes in memory until `write`.

use super::command::Command;
use super::complete::Names;
use super::session::Session;
use super::{Error, complain};
use mta_command::prompt::{Answer, confirm, is_interactive, split};
use mta_config::ServerRoot;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use rustyline::Editor;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use std::io::{self, BufRead, IsTerminal, Write};

/// Where lines come from: a terminal with editing and history, or a pipe without a prompt.
enum Lines {
    Terminal(Box<Editor<Names, DefaultHistory>>),
    Pipe,
}

impl Lines {
    fn open() -> Self {
        match is_interactive().then(Editor::new) {
            Some(Ok(editor)) => Self::Terminal(Box::new(editor)),
            Some(Err(_)) | None => Self::Pipe,
        }
    }

    /// The next line; nothing at the end of input.
    fn next(&mut self, prompt: &str, session: &Session<'_>) -> Result<Option<String>, Error> {
        match self {
            Self::Terminal(editor) => {
                editor.set_helper(Some(Names::of(session)));
                Self::typed(editor, prompt)
            }
            Self::Pipe => {
                let mut line = String::new();
                let read = io::stdin().lock().read_line(&mut line)?;
                Ok((read > 0).then_some(line))
            }
        }
    }

    fn typed(
        editor: &mut Editor<Names, DefaultHistory>,
        prompt: &str,
    ) -> Result<Option<String>, Error> {
        {
            match editor.readline(prompt) {
                Ok(line) => {
                    // A line with a password in it is not remembered.
                    if !line.to_ascii_lowercase().contains("passw") {
                        // History is a comfort; a line it does not take is no loss.
                        drop(editor.add_history_entry(&line));
                    }
                    Ok(Some(line))
                }
                Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
                Err(ReadlineError::Eof) => Ok(None),
                Err(ReadlineError::Io(error)) => Err(error.into()),
                Err(other) => Err(io::Error::other(other).into()),
            }
        }
    }
}

/// Runs commands until `exit`, `quit` or the end of input. Through a pipe the first error ends
/// it, so that a script does not go on with half of what it meant; nothing is written then.
pub(super) fn run(root: &ServerRoot) -> Result<(), Error> {
    let mut session = Session::open(root)?;
    let mut lines = Lines::open();
    let scripted = matches!(lines, Lines::Pipe);
    loop {
        let prompt = if session.is_changed() {
            "msconfig# "
        } else {
            "msconfig> "
        };
        let Some(line) = lines.next(prompt, &session)? else {
            return match scripted && session.is_changed() {
                true => Err(Error::Dropped),
                false => Ok(()),
            };
        };
        match execute(&mut session, &line) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if scripted => return Err(error),
            Err(error) => complain(&error),
        }
    }
}

/// Runs one line; says whether there is more to come.
fn execute(session: &mut Session<'_>, line: &str) -> Result<bool, Error> {
    let words = split(line).map_err(|_| Error::Usage("quotes must be closed"))?;
    if words.is_empty() {
        return Ok(true);
    }
    match Command::parse(&words)? {
        Command::Quit => Ok(false),
        Command::Exit if session.is_changed() => match confirm("Save changes? [y/n] ") {
            Answer::Yes => {
                let remark = String::new();
                session.run(&Command::Write { remark })?;
                Ok(false)
            }
            Answer::Stop if !is_interactive() => Err(Error::Dropped),
            Answer::No | Answer::Stop => Ok(false),
        },
        Command::Exit => Ok(false),
        command => session.run(&command).map(|()| true),
    }
}

/// Reads a line that the terminal does not show.
pub(super) fn read_hidden(prompt: &str) -> io::Result<String> {
    let input = io::stdin();
    let shown = input.is_terminal().then(|| tcgetattr(&input)).transpose()?;
    if let Some(shown) = &shown {
        io::stderr().write_all(prompt.as_bytes())?;
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&input, SetArg::TCSAFLUSH, &hidden)?;
    }
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    if let Some(shown) = &shown {
        tcsetattr(&input, SetArg::TCSAFLUSH, shown)?;
        io::stderr().write_all(b"\n")?;
    }
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
