//! Recipes: scripts that change the configuration as one change, or not at all.
//!
//! The language is that of `imsimta calc` (`mta-expression`), so that who knows the one knows the
//! other; the functions here are those of the product's recipes as far as they are known, with
//! what an operator needs besides.

use super::{Error, change, resolve};
use mta_command::output;
use mta_command::prompt::{Typed, ask};
use mta_config::ServerRoot;
use mta_config::source::legacy::Section;
use mta_config::source::name::{Path, Scope, Segment};
use mta_config::source::schema;
use mta_config::source::tree::{Content, Setting, Tree};
use mta_envelope::names::ChannelName;
use mta_expression::{Halt, Host, Interpreter, Program, Value};
use std::collections::BTreeMap;
use std::path::{Path as Path_, PathBuf};

/// Runs a recipe on `tree`; whether anything changed. On an error nothing has.
pub(super) fn run(tree: &mut Tree, root: &ServerRoot, recipe: &str) -> Result<bool, Error> {
    let path = find(root, recipe)?;
    let text = std::fs::read_to_string(&path).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    let failed = |reason: String| Error::Recipe {
        path: path.clone(),
        reason,
    };
    let program = Program::parse(&text).map_err(|error| failed(error.to_string()))?;
    let mut kitchen = Kitchen::new(tree.clone(), root, true);
    Interpreter::default()
        .run(&program, &mut kitchen)
        .map_err(|error| failed(error.to_string()))?;
    if kitchen.changed {
        *tree = kitchen.tree;
    }
    Ok(kitchen.changed)
}

/// Evaluates one expression that looks at the configuration, and prints its value.
pub(super) fn exec(tree: &Tree, root: &ServerRoot, expression: &str) -> Result<(), Error> {
    // The books write the argument of a function behind it: `exec get_path "config"`.
    let spaced = expression.trim().split_once([' ', '\t']);
    let call = spaced.filter(|(name, rest)| {
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name
            && !rest
                .trim_start()
                .starts_with(['=', '(', '.', '+', '-', '*', '/', '<', '>', '!'])
    });
    let text = match call {
        Some((name, argument)) => {
            let argument = argument.trim().trim_matches('"');
            format!("{name}({})", Value::text(argument))
        }
        None => expression.to_owned(),
    };
    let failed = |reason: String| Error::Expression(reason);
    let program = Program::parse(&text).map_err(|error| failed(error.reason))?;
    let mut kitchen = Kitchen::new(tree.clone(), root, false);
    let value = Interpreter::default()
        .run(&program, &mut kitchen)
        .map_err(|error| failed(error.reason))?;
    output::line(&output::visible(&value.plain()));
    Ok(())
}

/// The file of a recipe: as named, or in `lib/recipes`; `.rcp` may be left out.
fn find(root: &ServerRoot, recipe: &str) -> Result<PathBuf, Error> {
    let names = [recipe.to_owned(), format!("{recipe}.rcp")];
    let places = [PathBuf::new(), root.lib().join("recipes")];
    let mut all = places
        .iter()
        .flat_map(|place| names.iter().map(move |name| place.join(name)));
    all.find(|path| path.is_file())
        .ok_or_else(|| Error::NoRecipe(recipe.to_owned()))
}

/// The configuration as a recipe sees it.
struct Kitchen<'r> {
    tree: Tree,
    root: &'r ServerRoot,
    may_change: bool,
    changed: bool,
    /// Lines of the recipe in which each option was changed.
    places: BTreeMap<String, Vec<i64>>,
}

type Answer = Result<Value, Halt>;

impl<'r> Kitchen<'r> {
    fn new(tree: Tree, root: &'r ServerRoot, may_change: bool) -> Self {
        Self {
            tree,
            root,
            may_change,
            changed: false,
            places: BTreeMap::new(),
        }
    }

    fn change(
        &mut self,
        name: &str,
        line: usize,
        change: impl FnOnce(&mut Tree) -> Result<(), Error>,
    ) -> Answer {
        if !self.may_change {
            return Err(Halt::error("only a recipe may change the configuration"));
        }
        change(&mut self.tree).map_err(|error| Halt::Error(error.to_string()))?;
        self.changed = true;
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        self.places.entry(name.to_owned()).or_default().push(line);
        Ok(Value::Integer(1))
    }

    fn set(&mut self, name: &str, value: Option<&Value>, line: usize) -> Answer {
        let values = match value {
            None => Vec::new(),
            Some(Value::Text(text)) if text.is_empty() => Vec::new(),
            Some(value) => vec![value.plain()],
        };
        self.change(name, line, |tree| change::set(tree, name, &values, true))
    }

    /// The values of an option that count.
    fn values(&self, name: &str) -> Result<Vec<String>, Halt> {
        let found = resolve::option(name).map_err(|error| Halt::Error(error.to_string()))?;
        let scopes = match found.scope {
            Some(scope) => vec![scope],
            None => vec![Scope::Instance, Scope::Role],
        };
        let entry = scopes
            .into_iter()
            .find_map(|scope| self.tree.get(scope, &found.path));
        let settings = entry.map(|entry| entry.settings.as_slice());
        let settings = settings.unwrap_or_default().iter();
        Ok(settings.map(|setting| setting.content.line()).collect())
    }

    fn exists(&self, name: &str) -> Answer {
        let found = resolve::option(name).map_err(|error| Halt::Error(error.to_string()))?;
        let is_there = self.tree.entries().iter().any(|entry| {
            found.scope.is_none_or(|scope| scope == entry.scope)
                && entry.path.starts_with(&found.path)
        });
        Ok(Value::truth(is_there))
    }

    /// All options that a pattern means, with their values: a list of pairs.
    fn matching(&self, pattern: &str) -> Value {
        let entries = self.tree.entries().iter();
        let meant = entries.filter(|entry| resolve::means(pattern, entry.scope, &entry.path));
        let pairs = meant.flat_map(|entry| {
            entry.settings.iter().map(|setting| {
                let name = format!("{}.{}", entry.scope.word(), entry.path);
                let value = if schema::is_secret(&entry.path) {
                    "(suppressed)".to_owned()
                } else {
                    setting.content.line()
                };
                Value::List(vec![Value::Text(name), Value::Text(value)])
            })
        });
        Value::List(pairs.collect())
    }

    fn has_group(&self, group: &str, id: &str) -> bool {
        let group = Segment::of(group, id);
        let mut entries = self.tree.entries().iter();
        entries.any(|entry| entry.path.segments().first() == Some(&group))
    }

    /// `add_channel(name, words, host)`: a block as it would stand in `imta.cnf`.
    fn add_channel(&mut self, name: &str, words: &Value, host: &str, line: usize) -> Answer {
        if ChannelName::new(name).is_err() {
            return Err(Halt::Error(format!("{name} is no channel name")));
        }
        if self.has_group("channel", name) {
            return Err(Halt::Error(format!("there is a channel {name}")));
        }
        let block = format!("{name} {}\n{host}\n", words.plain());
        // A list of channels begins with the local one.
        let text = if name == "l" {
            block
        } else {
            format!("l\nx\n\n{block}")
        };
        let parsed = Section::Channels
            .parse(&text, Path_::new("recipe"), self.root)
            .map_err(|faults| Halt::Error(faults[0].to_string()))?;
        let group = Segment::of("channel", name);
        let entries = parsed.tree.entries().to_vec();
        self.change(&format!("channel:{name}"), line, |tree| {
            for entry in entries {
                if entry.path.segments().first() == Some(&group) {
                    for setting in entry.settings {
                        let fresh = Setting::from(setting.content);
                        tree.append(Scope::Role, entry.path.clone(), fresh);
                    }
                }
            }
            Ok(())
        })
    }

    /// Adds pairs of pattern and template to a list of rules, at its end or at its beginning.
    fn rules(&mut self, path: &Path, pairs: &Value, in_front: bool, line: usize) -> Answer {
        let Value::List(list) = pairs else {
            return Err(Halt::error("a list of patterns and templates is needed"));
        };
        if list.len() % 2 != 0 {
            return Err(Halt::error("each pattern needs a template"));
        }
        let new: Vec<Setting> = list
            .chunks(2)
            .map(|pair| Content::Rule(pair[0].plain(), pair[1].plain()).into())
            .collect();
        let name = path.to_string();
        self.change(&name, line, |tree| {
            let old = tree.get(Scope::Role, path);
            let old = old.map(|entry| entry.settings.clone()).unwrap_or_default();
            let all = if in_front {
                [new, old].concat()
            } else {
                [old, new].concat()
            };
            tree.replace(Scope::Role, path, all);
            Ok(())
        })
    }

    /// Removes every rule with this pattern; how many there were.
    fn remove_rules(&mut self, path: &Path, pattern: &str, line: usize) -> Answer {
        let old = self.tree.get(Scope::Role, path);
        let old = old.map(|entry| entry.settings.clone()).unwrap_or_default();
        let is_meant = |setting: &Setting| match &setting.content {
            Content::Rule(found, _) => found == pattern,
            Content::Text(text) => text.split_whitespace().next() == Some(pattern),
            Content::Novalue => false,
        };
        let kept: Vec<Setting> = old.iter().filter(|s| !is_meant(s)).cloned().collect();
        let count = old.len() - kept.len();
        if count > 0 {
            self.change(&path.to_string(), line, |tree| {
                tree.replace(Scope::Role, path, kept);
                Ok(())
            })?;
        }
        Ok(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    fn ask(question: &str, otherwise: Option<&Value>) -> Answer {
        let shown = match otherwise {
            Some(value) => format!("{question} [{}] ", value.plain()),
            None => format!("{question} "),
        };
        match (ask(&shown), otherwise) {
            (Typed::Line(line), None) if !line.trim().is_empty() => Ok(Value::text(line.trim())),
            (Typed::Line(line), Some(value)) if line.trim().is_empty() => Ok(value.clone()),
            (Typed::Line(line), Some(_)) => Ok(Value::text(line.trim())),
            (Typed::End, _) | (Typed::Line(_), None) => Err(Halt::error("no answer was given")),
        }
    }

    fn modifications(&self, name: &str) -> Value {
        let lines = self.places.get(name).cloned().unwrap_or_default();
        Value::List(lines.into_iter().map(Value::Integer).collect())
    }

    fn path(&self, name: &str) -> String {
        let root = self.root;
        let place = match name {
            "config" | "configroot" => root.config(),
            "data" | "dataroot" => root.data(),
            "queue" => root.queue(),
            "log" => root.log(),
            "tmp" => root.tmp(),
            "lib" => root.lib(),
            "bin" => root.bin(),
            "server" | "serverroot" | "" => root.root().to_owned(),
            other => root.resolve(&expanded(other)),
        };
        place.display().to_string()
    }
}

/// Puts the values of environment variables in the place of `$NAME` and `${NAME}`.
fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, behind) = match after
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'))
        {
            Some((name, behind)) => (name, behind),
            None => {
                let end = after
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(after.len());
                after.split_at(end)
            }
        };
        out.push_str(&std::env::var(name).unwrap_or_default());
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn rewrite_rules() -> Path {
    Path(vec![Segment::plain("rewrite"), Segment::plain("rule")])
}

fn table_rules(table: &Value) -> Path {
    Path(vec![
        Segment::of("mapping", &table.plain()),
        Segment::plain("rule"),
    ])
}

/// The functions of recipes, with what they take.
pub(super) const FUNCTIONS: [(&str, &str); 23] = [
    ("get_option", "(name): its value, empty if it is not set"),
    ("get_options", "(pattern): a list of [name, value]"),
    ("set_option", "(name[, value])"),
    ("unset_option", "(name)"),
    (
        "exists_option",
        "(name): whether it, or anything in the group, is set",
    ),
    (
        "get_option_modification_locations",
        "(name): lines of the recipe that changed it",
    ),
    ("exists_channel", "(name)"),
    ("add_channel", "(name, keywords, official-host)"),
    ("delete_channel", "(name)"),
    ("exists_rewrite", "(pattern)"),
    ("append_rewrites", "([pattern, template, ...])"),
    ("prepend_rewrites", "([pattern, template, ...])"),
    ("delete_rewrites", "(pattern): how many there were"),
    ("exists_mapping", "(table)"),
    ("append_mapping", "(table, [pattern, template, ...])"),
    ("prepend_mapping", "(table, [pattern, template, ...])"),
    (
        "delete_mapping",
        "(table[, pattern]): the table, or its entries with that pattern",
    ),
    (
        "make_path",
        "(name): a file name without symbols; get_path is the same",
    ),
    ("ask", "(question[, default])"),
    ("print", "(value...)"),
    ("warn", "(value...): on standard error"),
    ("description, keywords", "(text): for people; no effect"),
    ("exit", "(): ends the recipe; what it changed is kept"),
];

impl Host for Kitchen<'_> {
    fn call(&mut self, name: &str, arguments: &[Value], line: usize) -> Option<Answer> {
        let texts: Vec<String> = arguments.iter().map(Value::plain).collect();
        let text = |at: usize| texts.get(at).map_or("", String::as_str);
        let answer = match (name, arguments) {
            ("get_option", [_]) => {
                self.values(text(0))
                    .and_then(|values| match values.as_slice() {
                        [] => Ok(Value::Text(String::new())),
                        [value] => Ok(Value::text(value)),
                        _ => Err(Halt::Error(format!("{} has several values", text(0)))),
                    })
            }
            ("get_options", [_]) => Ok(self.matching(text(0))),
            ("set_option", [_]) => self.set(text(0), None, line),
            ("set_option", [_, value]) => self.set(text(0), Some(value), line),
            ("unset_option", [_]) => {
                let name = text(0).to_owned();
                self.change(&name, line, |tree| change::unset(tree, &name, &[], true))
            }
            ("exists_option", [_]) => self.exists(text(0)),
            ("get_option_modification_locations", [_]) => Ok(self.modifications(text(0))),
            ("exists_channel", [_]) => Ok(Value::truth(self.has_group("channel", text(0)))),
            ("add_channel", [_, words, _]) => self.add_channel(text(0), words, text(2), line),
            ("delete_channel", [_]) => {
                let group = Path(vec![Segment::of("channel", text(0))]);
                self.change(&format!("channel:{}", text(0)), line, |tree| {
                    tree.retain(|entry| !entry.path.starts_with(&group));
                    Ok(())
                })
            }
            ("exists_rewrite", [_]) => {
                let entry = self.tree.get(Scope::Role, &rewrite_rules());
                let settings = entry.map(|entry| entry.settings.as_slice());
                let mut settings = settings.unwrap_or_default().iter();
                Ok(Value::truth(settings.any(|setting| {
                    setting.content.line().split_whitespace().next() == Some(text(0))
                })))
            }
            ("append_rewrites", [pairs]) => self.rules(&rewrite_rules(), pairs, false, line),
            ("prepend_rewrites", [pairs]) => self.rules(&rewrite_rules(), pairs, true, line),
            ("delete_rewrites", [_]) => self.remove_rules(&rewrite_rules(), text(0), line),
            ("exists_mapping", [_]) => Ok(Value::truth(self.has_group("mapping", text(0)))),
            ("append_mapping", [table, pairs]) => {
                self.rules(&table_rules(table), pairs, false, line)
            }
            ("prepend_mapping", [table, pairs]) => {
                self.rules(&table_rules(table), pairs, true, line)
            }
            ("delete_mapping", [_]) => {
                let group = Path(vec![Segment::of("mapping", text(0))]);
                self.change(&format!("mapping:{}", text(0)), line, |tree| {
                    tree.retain(|entry| !entry.path.starts_with(&group));
                    Ok(())
                })
            }
            ("delete_mapping", [table, _]) => self.remove_rules(&table_rules(table), text(1), line),
            ("make_path" | "get_path", [_]) => Ok(Value::Text(self.path(text(0)))),
            ("ask", [_]) => Self::ask(text(0), None),
            ("ask", [_, otherwise]) => Self::ask(text(0), Some(otherwise)),
            ("print", _) => {
                output::line(&output::visible(&texts.concat()));
                Ok(Value::Integer(0))
            }
            ("warn", _) => {
                output::complain(&output::visible(&texts.concat()));
                Ok(Value::Integer(0))
            }
            ("description" | "keywords", _) => Ok(Value::Integer(0)),
            ("exit", []) => Err(Halt::Exit),
            (name, _) => {
                let known = FUNCTIONS
                    .iter()
                    .find(|(names, _)| names.split(", ").any(|known| known == name));
                return known.map(|(_, takes)| Err(Halt::Error(format!("{name} takes {takes}"))));
            }
        };
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cooked(text: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let root = ServerRoot::new(directory.path().to_owned());
        let path = directory.path().join("x.rcp");
        std::fs::write(&path, text).unwrap();
        let mut tree = Tree::default();
        for (name, values) in [
            ("mm_debug", vec!["5"]),
            ("channel:tcp_local.single", vec![]),
            ("mapping:T.rule", vec!["a", "$Y"]),
            ("rewrite.rule", vec![".", "$U%$H@tcp-daemon"]),
        ] {
            let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            change::set(&mut tree, name, &values, true).unwrap();
        }
        let before = super::super::show::rows(&tree);
        let name = path.with_extension("").display().to_string();
        match run(&mut tree, &root, &name) {
            Ok(_) => {
                let after = super::super::show::rows(&tree);
                let new = after.iter().filter(|row| !before.contains(row));
                let gone = before.iter().filter(|row| !after.contains(row));
                let new = new.map(|row| format!("+{row}"));
                let rows: Vec<String> = new.chain(gone.map(|row| format!("-{row}"))).collect();
                Ok(rows.join("\n"))
            }
            Err(error) => {
                assert_eq!(super::super::show::rows(&tree), before);
                Err(error.to_string().rsplit(": ").next().unwrap().to_owned())
            }
        }
    }

    #[test]
    fn recipes_change_the_configuration_as_one() {
        let table = [
            (
                "set_option(\"log_message_id\", 1)",
                "+role.mta.log_message_id = 1",
            ),
            (
                "if (get_option(\"mm_debug\") == 5) { unset_option(\"mm_debug\") }",
                "-role.mta.mm_debug = 5",
            ),
            (
                "set_option(\"channel:tcp_local.slave_debug\")",
                "+role.channel:tcp_local.slave_debug (novalue)",
            ),
            (
                "add_channel(\"tcp_x\", [\"smtp\", \"maxjobs\", 3], \"x-daemon\")",
                "+role.channel:tcp_x.maxjobs = 3\n+role.channel:tcp_x.official_host_name = x-daemon\n+role.channel:tcp_x.smtp (novalue)",
            ),
            (
                "prepend_rewrites([\"a.example\", \"$U%$D@x-daemon\"])",
                "+role.rewrite.rule = a.example $U%$D@x-daemon",
            ),
            (
                "append_mapping(\"T\", [\"b\", \"$N\"]); delete_mapping(\"T\", \"a\")",
                "+role.mapping:T.rule = b $N\n-role.mapping:T.rule = a $Y",
            ),
            (
                "foreach o (get_options(\"mta.*\")) { unset_option(o[0]) }",
                "-role.mta.mm_debug = 5",
            ),
            ("exists_channel(\"tcp_local\") || warn(\"none\")", ""),
            (
                "set_option(\"mm_debug\", 6);\nset_option(\"mm_debug\", length(get_option_modification_locations(\"mm_debug\")))",
                "+role.mta.mm_debug = 1\n-role.mta.mm_debug = 5",
            ),
        ];
        for (text, rows) in table {
            assert_eq!(cooked(text).as_deref(), Ok(rows), "{text}");
        }
    }

    #[test]
    fn a_recipe_that_fails_changes_nothing() {
        let table = [
            (
                "set_option(\"mm_debug\", 1);\nset_option(\"mm_debug\", \"x\")",
                "expected integer",
            ),
            (
                "set_option(\"mm_debug\", 1); nosuch()",
                "there is no function nosuch",
            ),
            ("get_option(\"nosuch\")", "nosuch"),
            (
                "add_channel(\"tcp_local\", [], \"x\")",
                "there is a channel tcp_local",
            ),
            ("append_rewrites([\"a\"])", "each pattern needs a template"),
            ("get_option()", "its value, empty if it is not set"),
            ("set_option(", "expression expected, found the end"),
        ];
        for (text, told) in table {
            assert_eq!(cooked(text), Err(told.to_owned()), "{text}");
        }
    }
}
