//! The functions of the language itself.

use crate::MAX_LENGTH;
use crate::interpreter::Halt;
use crate::value::Value;

/// Calls a function; nothing if there is none of that name.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, Halt>> {
    let result = match (name, arguments) {
        ("length", [of]) => Ok(length(of)),
        ("upper" | "toupper", [of]) => Ok(Value::Text(of.plain().to_uppercase())),
        ("lower" | "tolower", [of]) => Ok(Value::Text(of.plain().to_lowercase())),
        ("trim", [of]) => Ok(Value::text(of.plain().trim())),
        ("string", [of]) => Ok(Value::Text(of.plain())),
        ("integer", [of]) => integer(of).map(Value::Integer),
        ("abs", [of]) => integer(of).and_then(|number| {
            let absolute = number.checked_abs();
            absolute
                .map(Value::Integer)
                .ok_or(Halt::error("number out of range"))
        }),
        ("substr", [of, from]) => substr(of, from, None),
        ("substr", [of, from, count]) => substr(of, from, Some(count)),
        ("index", [of, what]) => Ok(index(of, what)),
        ("contains", [of, what]) => Ok(contains(of, what)),
        ("split", [of, at]) => Ok(split(&of.plain(), &at.plain())),
        ("join", [of, with]) => join(of, &with.plain()),
        ("replace", [of, what, with]) => replaced(of, what, with),
        ("matches", [of, pattern]) => {
            let matches = glob(&pattern.plain().to_lowercase(), &of.plain().to_lowercase());
            Ok(Value::truth(matches))
        }
        ("sort", [Value::List(list)]) => {
            let mut list = list.clone();
            list.sort_by_key(Value::plain);
            Ok(Value::List(list))
        }
        ("element", [of, at]) => element(of, at),
        ("min", [_, ..]) => extreme(arguments, |a, b| a < b),
        ("max", [_, ..]) => extreme(arguments, |a, b| a > b),
        _ => return wrong_count(name).map(Err),
    };
    Some(result)
}

/// A function of ours that was called with other arguments than it takes.
fn wrong_count(name: &str) -> Option<Halt> {
    let takes = match name {
        "length" | "upper" | "toupper" | "lower" | "tolower" | "trim" | "string" | "integer"
        | "abs" => "1 argument",
        "sort" => "a list",
        "index" | "contains" | "split" | "join" | "matches" | "element" => "2 arguments",
        "substr" => "2 or 3 arguments",
        "replace" => "3 arguments",
        "min" | "max" => "at least 1 argument",
        _ => return None,
    };
    Some(Halt::Error(format!("{name} takes {takes}")))
}

fn integer(of: &Value) -> Result<i64, Halt> {
    let wrong = || Halt::Error(format!("{of} is no number"));
    of.integer().ok_or_else(wrong)
}

/// Characters of a text, elements of a list.
fn length(of: &Value) -> Value {
    let length = match of {
        Value::List(list) => list.len(),
        other => other.plain().chars().count(),
    };
    Value::Integer(i64::try_from(length).unwrap_or(i64::MAX))
}

fn place(of: &Value) -> Result<usize, Halt> {
    let number = integer(of)?;
    usize::try_from(number).map_err(|_| Halt::Error(format!("{number} is no place")))
}

fn substr(of: &Value, from: &Value, count: Option<&Value>) -> Result<Value, Halt> {
    let from = place(from)?;
    let count = count.map_or(Ok(usize::MAX), place)?;
    let text = of.plain();
    Ok(Value::Text(text.chars().skip(from).take(count).collect()))
}

/// Where a text begins in another, in characters; -1 where it does not.
fn index(of: &Value, what: &Value) -> Value {
    let text = of.plain();
    let place = text
        .find(&what.plain())
        .map(|at| text[..at].chars().count());
    Value::Integer(place.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
}

fn contains(of: &Value, what: &Value) -> Value {
    let holds = match of {
        Value::List(list) => list.iter().any(|element| element.plain() == what.plain()),
        other => other.plain().contains(&what.plain()),
    };
    Value::truth(holds)
}

fn split(text: &str, at: &str) -> Value {
    let pieces: Vec<Value> = if at.is_empty() {
        text.split_whitespace().map(Value::text).collect()
    } else {
        text.split(at).map(Value::text).collect()
    };
    Value::List(pieces)
}

fn join(of: &Value, with: &str) -> Result<Value, Halt> {
    let Value::List(list) = of else {
        return Err(Halt::error("join takes a list"));
    };
    let texts: Vec<String> = list.iter().map(Value::plain).collect();
    Ok(Value::Text(texts.join(with)))
}

/// An empty text is found nowhere.
fn replaced(of: &Value, what: &Value, with: &Value) -> Result<Value, Halt> {
    let (text, what, with) = (of.plain(), what.plain(), with.plain());
    if what.is_empty() {
        return Ok(Value::Text(text));
    }
    let longest = text.matches(&what).count().saturating_mul(with.len());
    if longest > MAX_LENGTH {
        return Err(Halt::error("value too long"));
    }
    Ok(Value::Text(text.replace(&what, &with)))
}

fn extreme(values: &[Value], better: fn(i64, i64) -> bool) -> Result<Value, Halt> {
    let mut best = integer(&values[0])?;
    for value in &values[1..] {
        let number = integer(value)?;
        if better(number, best) {
            best = number;
        }
    }
    Ok(Value::Integer(best))
}

/// The element of a list, or the character of a text, counted from 0.
pub(crate) fn element(of: &Value, at: &Value) -> Result<Value, Halt> {
    let at = place(at)?;
    let found = match of {
        Value::List(list) => list.get(at).cloned(),
        other => {
            let text = other.plain();
            text.chars().nth(at).map(|c| Value::Text(c.to_string()))
        }
    };
    found.ok_or_else(|| Halt::Error(format!("no element {at}")))
}

/// A pattern in which `*` stands for any text and `?` for any character.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut retry {
                Some((after, from)) => {
                    *from += 1;
                    (p, t) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
