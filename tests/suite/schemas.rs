//! What `imsimta test -json` prints conforms to the schema that its manual page names, as an
//! independent validator sees it (Debian's python3-jsonschema), and the page names every member.

use crate::support::root::Root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

const SCHEMA: &str = include_str!("../../etc/schemas/imsimta-test.json");
const PAGE: &str = include_str!("../../man/imsimta-test.1");

/// Validates the documents of one form; the validator prints what is wrong.
fn validate(form: &str, text: &[u8]) {
    let program = r##"
import json, sys
from jsonschema import Draft202012Validator
schema = json.loads(sys.argv[1])
Draft202012Validator.check_schema(schema)
schema.pop("anyOf")
schema["$ref"] = "#/$defs/" + sys.argv[2]
text = sys.stdin.read()
decoder, at, count = json.JSONDecoder(), 0, 0
while text[at:].strip():
    at += len(text[at:]) - len(text[at:].lstrip())
    document, at = decoder.raw_decode(text, at)
    count += 1
    for error in Draft202012Validator(schema).iter_errors(document):
        print(list(error.absolute_path), error.message[:400])
        sys.exit(1)
if not count:
    print("no document")
    sys.exit(1)
"##;
    let mut child = Command::new("python3")
        .args(["-c", program, SCHEMA, form])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{form}: {}{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(text)
    );
}

#[test]
fn every_form_of_test_prints_what_the_schema_says() {
    let root = Root::staging().build();
    root.imsimta(&["cnbuild"]);
    root.run(
        "msconfig",
        &[
            "set",
            "alias:many.alias_entry",
            "bob@example.com, nobody@example.com, zoe@example.org",
        ],
    );
    root.run(
        "msconfig",
        &["set", "mapping:TRY.rule", "*|* $C$|INTERNAL_IP;$1|$0$Y$E"],
    );
    let table: &[(&str, &[&str], &str)] = &[
        (
            "rewrite",
            &["test", "-rewrite", "-json", "bob@example.com"],
            "",
        ),
        (
            "rewrite",
            &[
                "test",
                "-rewrite",
                "-json",
                "-noimage_file",
                "-check_expansions",
                "-delivery_receipt",
                "many",
                "nobody@example.com",
                "x@@",
                "\"Zoe\" <zoe@[192.0.2.1]>",
                "a%b",
                "@a,@b:c@d",
            ],
            "",
        ),
        (
            "rewrite",
            &[
                "test",
                "-rewrite",
                "-json",
                "-nochannel",
                "-database=noalias",
                "postmaster",
            ],
            "",
        ),
        (
            "compare",
            &[
                "test",
                "-rewrite",
                "-compare",
                "-json",
                "many",
                "bob@example.com",
            ],
            "",
        ),
        (
            "mapping",
            &[
                "test",
                "-mapping",
                "-json",
                "-table=INTERNAL_IP",
                "127.0.0.1",
            ],
            "",
        ),
        (
            "mapping",
            &[
                "test",
                "-mapping",
                "-json",
                "-noimage_file",
                "-table=TRY",
                "x|192.0.2.1",
            ],
            "",
        ),
        (
            "match",
            &[
                "test",
                "-match",
                "-json",
                "$[ax1]*@*.example.org",
                "xx11a@sys1.example.org",
                "b",
            ],
            "",
        ),
        (
            "expression",
            &["test", "-expression", "-json"],
            "1+2\nprint \"x\"\n1 +\n",
        ),
        (
            "url",
            &[
                "test",
                "-url",
                "-json",
                "ldap:///o=usergroup?mail?sub?(mail=bob@example.com)",
            ],
            "",
        ),
        ("time", &["test", "-time", "-json", "PT5M"], ""),
        ("image", &["test", "-image", "-json"], ""),
    ];
    for (form, words, input) in table {
        let text = root.run_with_input("imsimta", words, input).stdout;
        let from = text.iter().position(|octet| matches!(octet, b'{' | b'['));
        let from = from.unwrap_or_else(|| panic!("{words:?}: {}", String::from_utf8_lossy(&text)));
        let mut json = text[from..].to_vec();
        if *form == "expression" {
            json = String::from_utf8(json)
                .unwrap()
                .replace("Expression: ", "")
                .into_bytes();
        }
        validate(form, &json);
    }
    let forms: BTreeSet<&str> = table.iter().map(|(form, ..)| *form).collect();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let named = schema["anyOf"].as_array().unwrap().iter();
    let named: BTreeSet<&str> = named
        .map(|form| form["$ref"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(forms, named, "every form of the schema is asked for");
}

/// Names of members, anywhere in a schema.
fn members(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| members(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, found)),
        _ => {}
    }
}

#[test]
fn the_page_names_every_member_that_is_not_a_step_s() {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let definitions = schema["$defs"].as_object_mut().unwrap();
    for steps in ["step", "rewriting", "mapping_step"] {
        // Of steps the page names the kinds.
        for kind in definitions[steps]["oneOf"].as_array().unwrap() {
            let properties = kind["properties"].as_object().unwrap();
            let tag = if steps == "step" { "stage" } else { "step" };
            let name = properties[tag]["const"].as_str().unwrap();
            assert!(PAGE.contains(name), "{name}");
        }
        definitions.remove(steps);
    }
    let mut found = BTreeSet::new();
    members(&schema, &mut found);
    for name in found {
        assert!(PAGE.contains(&name), "{name}");
    }
}
