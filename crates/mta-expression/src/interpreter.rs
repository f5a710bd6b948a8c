//! Running a program.

use crate::functions;
use crate::parser::{Expression, Kind, Program, Statement};
use crate::value::Value;
use crate::{MAX_LENGTH, MAX_STEPS};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Why a program stopped, with the line of the statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct RunError {
    /// The line of the statement, counted from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// How a call ends without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// It is an error.
    Error(String),
    /// The program ends here, as if it had come to its end (`exit`).
    Exit,
}

impl Halt {
    /// An error with this reason.
    #[must_use]
    pub fn error(reason: impl Into<String>) -> Self {
        Self::Error(reason.into())
    }
}

/// Whoever runs a program answers the calls that the language itself has no function for.
pub trait Host {
    /// Calls a function by its name in lower case; nothing if there is none. `line` is where the
    /// statement stands.
    fn call(&mut self, name: &str, arguments: &[Value], line: usize)
    -> Option<Result<Value, Halt>>;
}

/// Nobody who has further functions.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: &str, _: &[Value], _: usize) -> Option<Result<Value, Halt>> {
        None
    }
}

/// Variables, and how programs are run on them.
#[derive(Debug, Clone, Default)]
pub struct Interpreter {
    variables: BTreeMap<String, Value>,
    /// A variable that has no value counts as an empty text; otherwise it is an error.
    pub unassigned_is_empty: bool,
}

impl Interpreter {
    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: Value) {
        self.variables.insert(name.to_ascii_lowercase(), value);
    }

    /// The variables in the order of their names.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Value)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (name.as_str(), value))
    }

    /// Runs a program; the value of its last statement, an empty text if it has none.
    ///
    /// # Errors
    /// The first statement that cannot be carried out.
    pub fn run(&mut self, program: &Program, host: &mut dyn Host) -> Result<Value, RunError> {
        let mut run = Run {
            variables: &mut self.variables,
            unassigned_is_empty: self.unassigned_is_empty,
            host,
            steps: 0,
            line: 1,
            last: Value::Text(String::new()),
        };
        match run.block(&program.statements) {
            Ok(()) | Err(Halt::Exit) => Ok(run.last),
            Err(Halt::Error(reason)) => Err(RunError {
                line: run.line,
                reason,
            }),
        }
    }
}

struct Run<'a> {
    variables: &'a mut BTreeMap<String, Value>,
    unassigned_is_empty: bool,
    host: &'a mut dyn Host,
    steps: u64,
    line: usize,
    last: Value,
}

impl Run<'_> {
    fn step(&mut self) -> Result<(), Halt> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Halt::error("too many steps"));
        }
        Ok(())
    }

    fn block(&mut self, statements: &[Statement]) -> Result<(), Halt> {
        statements
            .iter()
            .try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), Halt> {
        self.line = statement.line;
        self.step()?;
        match &statement.kind {
            Kind::Expression(expression) => self.last = self.value(expression)?,
            Kind::If(arms, otherwise) => {
                for (condition, then) in arms {
                    if self.value(condition)?.is_true() {
                        return self.block(then);
                    }
                }
                self.block(otherwise)?;
            }
            Kind::While(condition, body) => {
                while self.value(condition)?.is_true() {
                    self.block(body)?;
                    self.step()?;
                }
            }
            Kind::Foreach(name, list, body) => {
                let Value::List(list) = self.value(list)? else {
                    return Err(Halt::error("foreach needs a list"));
                };
                for value in list {
                    self.variables.insert(name.clone(), value);
                    self.block(body)?;
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Halt> {
        self.step()?;
        let value = match expression {
            Expression::Constant(value) => value.clone(),
            Expression::Variable(name) => match self.variables.get(name) {
                Some(value) => value.clone(),
                None if self.unassigned_is_empty => Value::Text(String::new()),
                None => return Err(Halt::Error(format!("variable {name} has no value"))),
            },
            Expression::List(elements) => {
                let values = elements.iter().map(|element| self.value(element));
                Value::List(values.collect::<Result<_, _>>()?)
            }
            Expression::Assign(name, value) => {
                let value = self.value(value)?;
                self.variables.insert(name.clone(), value.clone());
                value
            }
            Expression::Call(name, arguments) => self.call(name, arguments)?,
            Expression::Index(of, at) => {
                let (of, at) = (self.value(of)?, self.value(at)?);
                functions::element(&of, &at)?
            }
            Expression::Unary(sign, of) => {
                let of = self.value(of)?;
                match *sign {
                    "!" => Value::truth(!of.is_true()),
                    _ => Value::Integer(checked(number(&of)?.checked_neg())?),
                }
            }
            Expression::Binary("&&", a, b) => {
                Value::truth(self.value(a)?.is_true() && self.value(b)?.is_true())
            }
            Expression::Binary("||", a, b) => {
                Value::truth(self.value(a)?.is_true() || self.value(b)?.is_true())
            }
            Expression::Binary(sign, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                binary(sign, &a, &b)?
            }
        };
        if value.size() > MAX_LENGTH {
            return Err(Halt::error("value too long"));
        }
        Ok(value)
    }

    fn call(&mut self, name: &str, arguments: &[Expression]) -> Result<Value, Halt> {
        let arguments = arguments.iter().map(|argument| self.value(argument));
        let arguments: Vec<Value> = arguments.collect::<Result<_, _>>()?;
        if let Some(result) = functions::call(name, &arguments) {
            return result;
        }
        match self.host.call(name, &arguments, self.line) {
            Some(result) => result,
            None => Err(Halt::Error(format!("there is no function {name}"))),
        }
    }
}

fn number(value: &Value) -> Result<i64, Halt> {
    let wrong = || Halt::Error(format!("{value} is no number"));
    value.integer().ok_or_else(wrong)
}

fn checked(number: Option<i64>) -> Result<i64, Halt> {
    number.ok_or_else(|| Halt::error("number out of range"))
}

fn binary(sign: &str, a: &Value, b: &Value) -> Result<Value, Halt> {
    let compared = |wanted: &[Ordering]| match a.compare(b) {
        Some(found) => Ok(Value::truth(wanted.contains(&found))),
        None => Err(Halt::Error(format!(
            "{} and {} have no order",
            a.kind(),
            b.kind()
        ))),
    };
    let arithmetic = |operation: fn(i64, i64) -> Option<i64>| {
        Ok(Value::Integer(checked(operation(number(a)?, number(b)?))?))
    };
    match sign {
        "==" => Ok(Value::truth(a.compare(b) == Some(Ordering::Equal))),
        "!=" => Ok(Value::truth(a.compare(b) != Some(Ordering::Equal))),
        "<" => compared(&[Ordering::Less]),
        ">" => compared(&[Ordering::Greater]),
        "<=" => compared(&[Ordering::Less, Ordering::Equal]),
        ">=" => compared(&[Ordering::Greater, Ordering::Equal]),
        "." => Ok(joined(a, b)),
        "+" => arithmetic(i64::checked_add),
        "-" => arithmetic(i64::checked_sub),
        "*" => arithmetic(i64::checked_mul),
        "/" | "%" if number(b)? == 0 => Err(Halt::error("division by zero")),
        "/" => arithmetic(i64::checked_div),
        _ => arithmetic(i64::checked_rem),
    }
}

/// Lists become one list, everything else one text.
fn joined(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::List(a), Value::List(b)) => Value::List([a.as_slice(), b].concat()),
        (Value::List(list), other) => {
            let mut list = list.clone();
            list.push(other.clone());
            Value::List(list)
        }
        _ => Value::Text(a.plain() + &b.plain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(text: &str) -> Result<String, String> {
        let program = Program::parse(text).map_err(|error| error.to_string())?;
        let value = Interpreter::default().run(&program, &mut NoHost);
        value
            .map(|value| value.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn expressions_have_their_values() {
        let table = [
            ("3 * (4 + 5)", "27"),
            ("s = \"abc\"; s . \"def\"", "\"abcdef\""),
            ("7 / 2 . \"x\"", "\"3x\""),
            ("-3 % 2", "-1"),
            ("0x10 + 1", "17"),
            ("1 < 2 && \"b\" > \"a\" || 0", "1"),
            ("!1", "0"),
            ("\"10\" + 5", "15"),
            ("[1, \"a\", [2]]", "[1, \"a\", [2]]"),
            ("l = [1, 2] . [3]; l[2]", "3"),
            ("\"a\\\"b\\\\\\n\"", "\"a\\\"b\\\\\\n\""),
            ("x = 1; x += 4; x -= 2; x", "3"),
            ("s = \"\"; s .= 1; s", "\"1\""),
            ("A = 5; a", "5"),
            ("if (0) { 1 } elsif (2 > 1) { 2 } else { 3 }", "2"),
            ("n = 0; while (n < 10) { n = n + 3 } n", "12"),
            ("t = 0; foreach x ([1, 2, 3]) { t += x } t", "6"),
            ("# nothing\n/* at\nall */ 4", "4"),
            ("", "\"\""),
            ("length(\"abc\") + length([1, 2])", "5"),
            ("upper(\"aBc\") . lower(\"DeF\")", "\"ABCdef\""),
            ("substr(\"abcdef\", 1, 3)", "\"bcd\""),
            ("substr(\"abc\", 5, 1)", "\"\""),
            ("index(\"abcdef\", \"cd\")", "2"),
            ("index(\"abc\", \"x\")", "-1"),
            ("split(\"a,b,,c\", \",\")", "[\"a\", \"b\", \"\", \"c\"]"),
            ("join([1, \"b\"], \"-\")", "\"1-b\""),
            ("replace(\"a.b.c\", \".\", \"/\")", "\"a/b/c\""),
            ("trim(\"  a b \")", "\"a b\""),
            (
                "contains([\"a\", 2], 2) . contains(\"abc\", \"bc\")",
                "\"11\"",
            ),
            ("matches(\"host.example.org\", \"*.example.*\")", "1"),
            ("min(3, 1, 2) . max(3, 1, 2) . abs(-4)", "\"134\""),
            ("integer(\"42\") + 1", "43"),
            ("string(42) . \"\"", "\"42\""),
            ("sort([\"b\", \"a\"])", "[\"a\", \"b\"]"),
        ];
        for (text, value) in table {
            assert_eq!(run(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told_with_its_line() {
        let table = [
            ("1 +", "line 1: expression expected, found the end"),
            ("1\n2", "line 2: \";\" expected, found 2"),
            ("\"abc", "line 1: string is not closed"),
            ("a ? b", "line 1: unexpected character '?'"),
            ("12ab", "line 1: bad number 12ab"),
            ("if 1 {}", "line 1: \"(\" expected, found 1"),
            ("{ 1", "line 1: expression expected, found \"{\""),
            ("if (1) { 1", "line 1: \"}\" expected, found the end"),
            ("x", "line 1: variable x has no value"),
            ("1;\n1 / 0", "line 2: division by zero"),
            ("9223372036854775807 + 1", "line 1: number out of range"),
            ("\"a\" * 2", "line 1: \"a\" is no number"),
            ("nosuch(1)", "line 1: there is no function nosuch"),
            ("length(1, 2)", "line 1: length takes 1 argument"),
            ("[1][5]", "line 1: no element 5"),
            ("while (1) { }", "line 1: too many steps"),
            (
                "s = \"ab\"; while (1) { s = s . s }",
                "line 1: value too long",
            ),
            ("[1] < [2]", "line 1: list and list have no order"),
        ];
        for (text, told) in table {
            assert_eq!(run(text), Err(told.to_owned()), "{text}");
        }
        let deep = "(".repeat(500);
        assert_eq!(run(&deep), Err("line 1: nested too deep".to_owned()));
        let chain = "1+".repeat(100_000) + "1";
        assert_eq!(run(&chain), Err("line 1: nested too deep".to_owned()));
    }

    #[test]
    fn a_program_prints_bracketed() {
        let program = Program::parse("a = 1 + 2 * b; if (a) { f(a) } else { -1 }").unwrap();
        assert_eq!(
            program.to_string(),
            "(a = (1 + (2 * b)))\nif (a) { f(a); } else { (-1); }\n"
        );
    }

    #[test]
    fn the_host_is_asked_last() {
        struct Echo(Vec<String>);
        impl Host for Echo {
            fn call(
                &mut self,
                name: &str,
                arguments: &[Value],
                line: usize,
            ) -> Option<Result<Value, Halt>> {
                self.0
                    .push(format!("{line} {name} {}", Value::List(arguments.to_vec())));
                match name {
                    "exit" => Some(Err(Halt::Exit)),
                    "print" => Some(Ok(Value::Integer(0))),
                    _ => None,
                }
            }
        }
        let mut host = Echo(Vec::new());
        let program = Program::parse("print(length(\"ab\"));\nexit();\nprint(3)").unwrap();
        Interpreter::default().run(&program, &mut host).unwrap();
        assert_eq!(host.0, ["1 print [2]", "2 exit []"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c0-9 =+*/.!<>&|,;()\\[\\]{}\"\\\\-]{0,80}") {
            drop(run(&text));
        }
    }
}
