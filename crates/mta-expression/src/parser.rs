//! From tokens to a program.

use crate::MAX_DEPTH;
use crate::lexer::{Token, tokens};
use crate::value::Value;
use std::fmt;

/// A text that is no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SyntaxError {
    /// Where, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl SyntaxError {
    pub(crate) fn new(line: usize, reason: String) -> Self {
        Self { line, reason }
    }
}

/// A statement and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Expression(Expression),
    /// Conditions with their blocks, tried in order; then what holds when none does.
    If(Vec<(Expression, Vec<Statement>)>, Vec<Statement>),
    While(Expression, Vec<Statement>),
    Foreach(String, Expression, Vec<Statement>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    Constant(Value),
    Variable(String),
    List(Vec<Self>),
    Assign(String, Box<Self>),
    Call(String, Vec<Self>),
    /// `list[n]`, counted from 0.
    Index(Box<Self>, Box<Self>),
    Unary(&'static str, Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
}

/// Operators from the loosest to the tightest.
const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["==", "!=", "<=", ">=", "<", ">"],
    &["."],
    &["+", "-"],
    &["*", "/", "%"],
];

/// A program that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub(crate) statements: Vec<Statement>,
}

impl Program {
    /// Reads a text: statements with `;` between them.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            depth: 0,
        };
        let statements = parser.statements(&Token::End)?;
        Ok(Self { statements })
    }

    /// How many statements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// One line for each statement, fully bracketed.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statements
            .iter()
            .try_for_each(|statement| writeln!(f, "{statement}"))
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = |statements: &[Self]| -> String {
            let texts: Vec<String> = statements.iter().map(|s| format!("{s};")).collect();
            texts.join(" ")
        };
        match &self.kind {
            Kind::Expression(expression) => write!(f, "{expression}"),
            Kind::If(arms, otherwise) => {
                for (at, (condition, then)) in arms.iter().enumerate() {
                    let word = if at == 0 { "if" } else { " elsif" };
                    write!(f, "{word} ({condition}) {{ {} }}", block(then))?;
                }
                if otherwise.is_empty() {
                    return Ok(());
                }
                write!(f, " else {{ {} }}", block(otherwise))
            }
            Kind::While(condition, body) => write!(f, "while ({condition}) {{ {} }}", block(body)),
            Kind::Foreach(name, list, body) => {
                write!(f, "foreach {name} ({list}) {{ {} }}", block(body))
            }
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |expressions: &[Self]| -> String {
            let texts: Vec<String> = expressions.iter().map(Self::to_string).collect();
            texts.join(", ")
        };
        match self {
            Self::Constant(value) => write!(f, "{value}"),
            Self::Variable(name) => f.write_str(name),
            Self::List(elements) => write!(f, "[{}]", list(elements)),
            Self::Assign(name, value) => write!(f, "({name} = {value})"),
            Self::Call(name, arguments) => write!(f, "{name}({})", list(arguments)),
            Self::Index(of, at) => write!(f, "{of}[{at}]"),
            Self::Unary(sign, of) => write!(f, "({sign}{of})"),
            Self::Binary(sign, a, b) => write!(f, "({a} {sign} {b})"),
        }
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn line(&self) -> usize {
        self.tokens[self.at].1
    }

    /// Takes the next token; the last one stays.
    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(found) if *found == sign);
        if found {
            self.take();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("{sign:?} expected")))
        }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            Token::Name(name) => format!("{name:?}"),
            Token::Integer(number) => number.to_string(),
            Token::Text(_) => "a string".to_owned(),
            Token::Sign(sign) => format!("{sign:?}"),
            Token::End => "the end".to_owned(),
        };
        SyntaxError::new(self.line(), format!("{wanted}, found {found}"))
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::new(self.line(), "nested too deep".to_owned()));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn statements(&mut self, end: &Token) -> Result<Vec<Statement>, SyntaxError> {
        let mut statements = Vec::new();
        loop {
            while self.takes(";") {}
            if self.peek() == end {
                return Ok(statements);
            }
            if *self.peek() == Token::End {
                return Err(self.unexpected("\"}\" expected"));
            }
            let statement = self.deeper(Self::statement)?;
            let is_block = !matches!(statement.kind, Kind::Expression(_));
            statements.push(statement);
            let ended = self.peek() == end || matches!(self.peek(), Token::Sign(";") | Token::End);
            if !is_block && !ended {
                return Err(self.unexpected("\";\" expected"));
            }
        }
    }

    fn statement(&mut self) -> Result<Statement, SyntaxError> {
        let line = self.line();
        let word = match self.peek() {
            Token::Name(name) => name.to_ascii_lowercase(),
            _ => String::new(),
        };
        let kind = match word.as_str() {
            "if" => self.condition()?,
            "while" => {
                self.take();
                Kind::While(self.bracketed()?, self.block()?)
            }
            "foreach" => {
                self.take();
                let Token::Name(name) = self.take() else {
                    return Err(self.unexpected("name of a variable expected"));
                };
                Kind::Foreach(name.to_ascii_lowercase(), self.bracketed()?, self.block()?)
            }
            _ => Kind::Expression(self.expression()?),
        };
        Ok(Statement { line, kind })
    }

    fn condition(&mut self) -> Result<Kind, SyntaxError> {
        let mut arms = Vec::new();
        loop {
            self.take();
            arms.push((self.bracketed()?, self.block()?));
            let word = match self.peek() {
                Token::Name(name) => name.to_ascii_lowercase(),
                _ => String::new(),
            };
            match word.as_str() {
                "elsif" => {}
                "else" => {
                    self.take();
                    return Ok(Kind::If(arms, self.block()?));
                }
                _ => return Ok(Kind::If(arms, Vec::new())),
            }
        }
    }

    fn bracketed(&mut self) -> Result<Expression, SyntaxError> {
        self.expect("(")?;
        let expression = self.expression()?;
        self.expect(")")?;
        Ok(expression)
    }

    fn block(&mut self) -> Result<Vec<Statement>, SyntaxError> {
        self.expect("{")?;
        let statements = self.statements(&Token::Sign("}"))?;
        self.expect("}")?;
        Ok(statements)
    }

    fn expression(&mut self) -> Result<Expression, SyntaxError> {
        self.deeper(|parser| {
            if let Token::Name(name) = parser.peek().clone() {
                let name = name.to_ascii_lowercase();
                let next = parser.tokens.get(parser.at + 1).map(|(token, _)| token);
                let sign = match next {
                    Some(Token::Sign(sign)) => *sign,
                    _ => "",
                };
                let operator = match sign {
                    "=" => None,
                    "+=" => Some("+"),
                    "-=" => Some("-"),
                    ".=" => Some("."),
                    _ => return parser.level(0),
                };
                parser.take();
                parser.take();
                let value = parser.expression()?;
                let value = match operator {
                    None => value,
                    Some(operator) => {
                        let old = Box::new(Expression::Variable(name.clone()));
                        Expression::Binary(operator, old, Box::new(value))
                    }
                };
                return Ok(Expression::Assign(name, Box::new(value)));
            }
            parser.level(0)
        })
    }

    fn level(&mut self, level: usize) -> Result<Expression, SyntaxError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        let mut chained = 0;
        loop {
            let found = match self.peek() {
                Token::Sign(sign) => operators.iter().find(|operator| *operator == sign).copied(),
                _ => None,
            };
            let Some(operator) = found else {
                return Ok(left);
            };
            // A long chain is a deep tree, too.
            chained += 1;
            if chained > 10 * MAX_DEPTH {
                return Err(SyntaxError::new(self.line(), "nested too deep".to_owned()));
            }
            self.take();
            let right = self.level(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Expression, SyntaxError> {
        for sign in ["-", "!"] {
            if self.takes(sign) {
                let of = self.deeper(Self::unary)?;
                return Ok(Expression::Unary(sign, Box::new(of)));
            }
        }
        let mut expression = self.primary()?;
        while self.takes("[") {
            let at = self.expression()?;
            self.expect("]")?;
            expression = Expression::Index(Box::new(expression), Box::new(at));
        }
        Ok(expression)
    }

    fn primary(&mut self) -> Result<Expression, SyntaxError> {
        match self.peek().clone() {
            Token::Integer(number) => {
                self.take();
                Ok(Expression::Constant(Value::Integer(number)))
            }
            Token::Text(text) => {
                self.take();
                Ok(Expression::Constant(Value::Text(text)))
            }
            Token::Name(name) => {
                self.take();
                let name = name.to_ascii_lowercase();
                if self.takes("(") {
                    Ok(Expression::Call(name, self.list(")")?))
                } else {
                    Ok(Expression::Variable(name))
                }
            }
            Token::Sign("(") => self.bracketed(),
            Token::Sign("[") => {
                self.take();
                Ok(Expression::List(self.list("]")?))
            }
            Token::Sign(_) | Token::End => Err(self.unexpected("expression expected")),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expression>, SyntaxError> {
        let mut list = Vec::new();
        while !self.takes(end) {
            if !list.is_empty() {
                self.expect(",")?;
            }
            list.push(self.expression()?);
        }
        Ok(list)
    }
}
