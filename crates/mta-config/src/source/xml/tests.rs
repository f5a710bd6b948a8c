use super::*;
use proptest::prelude::*;

fn kind(path: &Path) -> &'static str {
    match path.to_string().as_str() {
        "mta.log_message_id" => "integer",
        _ => "string",
    }
}

fn flat(tree: &Tree) -> Vec<(String, String, Content)> {
    let mut flat = Vec::new();
    for entry in tree.entries() {
        for setting in &entry.settings {
            let scope = entry.scope.word().to_owned();
            flat.push((scope, entry.path.to_string(), setting.content.clone()));
        }
    }
    flat
}

fn reread(text: &str) -> Result<Tree, XmlError> {
    let mut tree = Tree::default();
    read(text, File::Config, &mut tree)?;
    Ok(tree)
}

fn sample() -> Tree {
    let mut tree = Tree::default();
    let settings = [
        ("mta.log_message_id", Content::Text("1".into())),
        ("channel:tcp_local.single_sys", Content::Novalue),
        (
            "channel:tcp_local.options.BANNER_HOST",
            Content::Text("a <&> b".into()),
        ),
        (
            "job_controller.channel_class:filter_discard",
            Content::Novalue,
        ),
        ("alias:a@b\\.c.alias_entry", Content::Text(" x ".into())),
        ("alias:a@b\\.c.alias_entry", Content::Text("y".into())),
        (
            "rewrite.rule",
            Content::Rule(".".into(), "$U%$H@tcp-daemon".into()),
        ),
        ("rewrite.rule", Content::Rule("[]".into(), String::new())),
    ];
    for (name, content) in settings {
        tree.append(Scope::Role, Path::parse(name).unwrap(), content.into());
    }
    let hostname = Path::parse("base.hostname").unwrap();
    tree.append(
        Scope::Instance,
        hostname,
        Content::Text("a.example".into()).into(),
    );
    tree
}

#[test]
fn a_written_tree_reads_back() {
    let tree = sample();
    let text = write(&tree, |_| true, kind).unwrap();
    assert!(
        text.contains("<option name=\"log_message_id\" type=\"integer\">1</option>"),
        "{text}"
    );
    assert_eq!(flat(&reread(&text).unwrap()), flat(&tree), "{text}");
    assert_eq!(
        write(&reread(&text).unwrap(), |_| true, kind).unwrap(),
        text
    );
}

#[test]
fn settings_know_their_lines() {
    let text = write(&sample(), |_| true, kind).unwrap();
    let tree = reread(&text).unwrap();
    for entry in tree.entries() {
        for setting in &entry.settings {
            let line = text.lines().nth(setting.line - 1).unwrap();
            let last = entry.path.segments().last().unwrap();
            let name = last.id.as_deref().unwrap_or(&last.name);
            assert!(line.contains(name), "{line} {}", entry.path);
        }
    }
}

#[test]
fn damaged_files_are_refused_with_the_line() {
    let body = |inside: &str| {
        format!("<configuration version=\"1\">\n<role>\n{inside}\n</role>\n</configuration>\n")
    };
    let option = |kind: &str, text: &str| {
        body(&format!(
            "<group name=\"mta\">\n<option name=\"a\" type=\"{kind}\">{text}</option>\n</group>"
        ))
    };
    let table = [
        (String::new(), 1),
        ("<configuration version=\"2\"/>".into(), 1),
        (body("<group>"), 3),
        (body("<x/>"), 3),
        (body("text"), 4),
        (option("rule", "five"), 4),
        (option("number", "5"), 4),
        (option("novalue", "5"), 4),
        (option("string", "&nosuch;"), 4),
        (option("string", "<b/>"), 4),
        (
            "<configuration version=\"1\">\n<role>\n<group name=\"mta\">\n".into(),
            4,
        ),
        (body("<group name=\"a\">\n</option>"), 4),
        (
            "<!DOCTYPE x [<!ENTITY a \"b\">]>\n<configuration version=\"1\"/>".into(),
            1,
        ),
    ];
    for (text, line) in table {
        match reread(&text) {
            Err(error) => assert_eq!(error.line, line, "{text} {error}"),
            Ok(_) => panic!("accepted: {text}"),
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!(
        "<configuration version=\"1\"><role>{}",
        "<group name=\"a\">".repeat(10_000)
    );
    assert_eq!(reread(&text).unwrap_err().kind, XmlErrorKind::Depth);
}

proptest! {
    #[test]
    fn any_text_survives(text in "[ -~äß\u{20ac}]{0,40}", id in "[ -~]{1,20}") {
        let mut tree = Tree::default();
        let path = Path(vec![Segment::of("alias", &id), Segment::plain("alias_entry")]);
        tree.append(Scope::Role, path, Content::Text(text.clone()).into());
        let rule = Path(vec![Segment::plain("rewrite"), Segment::plain("rule")]);
        tree.append(Scope::Role, rule, Content::Rule(id, text).into());
        let written = write(&tree, |_| true, |_| "string").unwrap();
        prop_assert_eq!(flat(&reread(&written).unwrap()), flat(&tree));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        drop(reread(&text));
        drop(reread(&format!("<configuration version=\"1\"><role>{text}")));
    }
}
