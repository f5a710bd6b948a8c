//! The expression language of `imsimta calc` and of the recipes of `msconfig`.
//!
//! This crate owns the language: integers, strings and lists, assignment, conditions and loops,
//! and the functions that need nothing but their arguments. It is pure. What a recipe may do to a
//! configuration, or what `print` prints to, it does not know: a call of a name it has no
//! function for goes to the [`Host`].
//!
//! A text goes through `lexer` and `parser` into a [`Program`]; [`Interpreter::run`] evaluates
//! that and gives the value of its last statement. Variables last as long as the interpreter.
//!
//! Bounded: nesting, the number of steps, the length of a string or list, so that no program and
//! no input can run for ever or take all memory.
//!
//! ```
//! use mta_expression::{Interpreter, NoHost, Program, Value};
//!
//! let program = Program::parse("a = 3; a * (4 + 5)").unwrap();
//! let value = Interpreter::default().run(&program, &mut NoHost).unwrap();
//! assert_eq!(value, Value::Integer(27));
//! ```

mod functions;
mod interpreter;
mod lexer;
mod parser;
mod value;

pub use interpreter::{Halt, Host, Interpreter, NoHost, RunError};
pub use parser::{Program, SyntaxError};
pub use value::Value;

/// Deepest nesting of expressions and blocks.
pub const MAX_DEPTH: usize = 64;
/// Most steps of one run.
pub const MAX_STEPS: u64 = 1_000_000;
/// Largest value: octets of its texts and elements of its lists together.
pub const MAX_LENGTH: usize = 1 << 20;
