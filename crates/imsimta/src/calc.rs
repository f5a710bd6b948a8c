//! `imsimta calc` and `imsimta test -expression`: the expression language at a prompt.

use crate::context::{Context, Failure, Outcome};
use crate::test::ask;
use mta_command::message::Message;
use mta_command::output;
use mta_command::switches::{Switch, Verb, Words};
use mta_expression::{Halt, Host, Interpreter, Program, Value};
use serde::Serialize;

/// Switches that ask for the functions of filters.
const FILTERS: [&str; 8] = [
    "mm",
    "message",
    "from",
    "to",
    "required",
    "system",
    "mtpriority",
    "source",
];

const NOT_YET: &str = "not available in this version: there are no filters yet";

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "calc",
    about: "evaluate expressions",
    parameters: "[expression]",
    least: 0,
    most: 1000,
    switches: &[
        Switch::with("input", "file", "read the expressions there, one a line"),
        Switch::with("output", "file", "write the results there"),
        Switch::maybe("debug", "n", "print how each expression is understood"),
        Switch::with("statement", "n", "0: expressions only, no statements"),
        Switch::with("uav", "n", "0: a variable without a value counts as empty"),
        Switch::flag("multiple", "several statements in one line (default)"),
        Switch::flag("symbols", "list the variables at the end"),
        Switch::flag("mm", NOT_YET),
        Switch::with("message", "file", NOT_YET),
        Switch::with("from", "address", NOT_YET),
        Switch::with("to", "address", NOT_YET),
        Switch::flag("required", NOT_YET),
        Switch::flag("system", NOT_YET),
        Switch::with("mtpriority", "n", NOT_YET),
        Switch::with("source", "channel", NOT_YET),
    ],
}];

/// How lines are read and answers shown.
struct Setting {
    debug: bool,
    several: bool,
    statements: bool,
    /// The layout of `test -expression`.
    echo: bool,
    json: bool,
}

/// What `test -expression -json` prints for each expression.
#[derive(Debug, Serialize)]
struct View {
    expression: String,
    /// The program as it was understood, a statement a line.
    program: Vec<String>,
    /// What `print` wrote.
    printed: Vec<String>,
    /// The value of the last statement.
    result: Option<String>,
    /// Why there is none.
    error: Option<String>,
}

/// `print` is all that the language asks of us.
#[derive(Default)]
struct Terminal {
    /// Where the lines go that are not to be seen by themselves.
    printed: Option<Vec<String>>,
}

impl Host for Terminal {
    fn call(&mut self, name: &str, arguments: &[Value], _: usize) -> Option<Result<Value, Halt>> {
        match name {
            "print" => {
                let text: String = arguments.iter().map(Value::plain).collect();
                match &mut self.printed {
                    Some(printed) => printed.push(text),
                    None => output::line(&output::visible(&text)),
                }
                Some(Ok(Value::Integer(0)))
            }
            "exit" => Some(Err(Halt::Exit)),
            _ => None,
        }
    }
}

fn refuse_filters(facility: &'static str, words: &Words) -> Result<(), Failure> {
    for name in FILTERS {
        if words.is_on(name, false) {
            let text = format!("-{name} is {NOT_YET}");
            return Err(Message::error(facility, "NOTYET", text).into());
        }
    }
    Ok(())
}

pub(crate) fn run(_: &Context, typed: &[String]) -> Outcome {
    let words = VERBS[0].parse(typed)?;
    refuse_filters("CALC", &words)?;
    let number = |name| words.number::<i64>(name).map(|n| n.unwrap_or(1));
    let setting = Setting {
        debug: words.is_on("debug", false) && words.value("debug") != Some("0"),
        several: words.is_on("multiple", true),
        statements: number("statement")? != 0,
        echo: false,
        json: false,
    };
    let mut interpreter = Interpreter::default();
    interpreter.unassigned_is_empty = number("uav")? == 0;
    if let Some(file) = words.value("output") {
        crate::test::redirect(file)?;
    }
    let mut failed = false;
    let once = !words.parameters().is_empty() || words.value("input").is_some();
    if !words.parameters().is_empty() {
        let line = words.parameters().join(" ");
        failed |= !evaluate(&line, &setting, &mut interpreter);
    } else if let Some(file) = words.value("input") {
        for line in crate::test::lines(file)? {
            failed |= !evaluate(&line, &setting, &mut interpreter);
        }
    } else {
        while let Some(line) = ask("calc> ") {
            if !line.trim().is_empty() {
                evaluate(&line, &setting, &mut interpreter);
            }
        }
    }
    if words.is_on("symbols", false) {
        for (name, value) in interpreter.variables() {
            output::line(&output::visible(&format!("{name} = {value}")));
        }
    }
    if failed && once {
        return Err(Failure::Silent(1));
    }
    Ok(())
}

/// `test -expression`: as `calc`, with an echo of each expression.
pub(crate) fn expression(words: &Words) -> Outcome {
    refuse_filters("TEST", words)?;
    let setting = Setting {
        debug: words.is_on("debug", false),
        several: true,
        statements: true,
        echo: true,
        json: words.is_on("json", false),
    };
    if let Some(file) = words.value("output") {
        crate::test::redirect(file)?;
    }
    let mut interpreter = Interpreter::default();
    let mut failed = false;
    let mut block = String::new();
    let mut next = |line: String, failed: &mut bool| {
        if words.is_on("block", false) {
            block.push_str(&line);
            block.push('\n');
        } else if !line.trim().is_empty() {
            *failed |= !evaluate(&line, &setting, &mut interpreter);
        }
    };
    match words.value("input") {
        Some(file) => {
            for line in crate::test::lines(file)? {
                next(line, &mut failed);
            }
        }
        None => {
            while let Some(line) = ask("Expression: ") {
                next(line, &mut failed);
            }
        }
    }
    if !block.trim().is_empty() {
        failed |= !evaluate(block.trim_end(), &setting, &mut interpreter);
    }
    if failed {
        return Err(Failure::Silent(1));
    }
    Ok(())
}

/// Evaluates one text and prints its value; whether that could be done.
fn evaluate(text: &str, setting: &Setting, interpreter: &mut Interpreter) -> bool {
    if setting.json {
        return as_json(text, interpreter);
    }
    let complain = |reason: &str| {
        let line = if setting.echo {
            format!("Error parsing expression: {reason}")
        } else {
            reason.to_owned()
        };
        output::complain(&output::visible(&line));
        false
    };
    if setting.echo {
        output::line(&output::visible(&format!("Expression: {text}")));
    }
    let program = match Program::parse(text) {
        Ok(program) => program,
        Err(error) => return complain(&error.reason),
    };
    if program.len() > 1 && !(setting.several && setting.statements) {
        return complain("only one expression is allowed");
    }
    if setting.debug {
        for line in program.to_string().lines() {
            output::line(&output::visible(&format!("Dump: {line}")));
        }
    }
    match interpreter.run(&program, &mut Terminal::default()) {
        Ok(value) => {
            let value = value.to_string();
            let line = if setting.echo {
                format!("Result: {value}")
            } else {
                value
            };
            output::line(&output::visible(&line));
            true
        }
        Err(error) => complain(&error.reason),
    }
}

/// Evaluates one text and prints all about it as one document; whether it could be evaluated.
fn as_json(text: &str, interpreter: &mut Interpreter) -> bool {
    let mut terminal = Terminal {
        printed: Some(Vec::new()),
    };
    let program = Program::parse(text);
    let ran = match &program {
        Ok(program) => {
            let ran = interpreter.run(program, &mut terminal);
            ran.map_err(|error| error.reason)
        }
        Err(error) => Err(error.reason.clone()),
    };
    let program = program.map_or_else(|_| String::new(), |program| program.to_string());
    let (result, error) = match ran {
        Ok(value) => (Some(value.to_string()), None),
        Err(reason) => (None, Some(reason.to_string())),
    };
    let view = View {
        expression: text.to_owned(),
        program: program.lines().map(str::to_owned).collect(),
        printed: terminal.printed.unwrap_or_default(),
        result,
        error,
    };
    output::json(&view);
    view.error.is_none()
}
