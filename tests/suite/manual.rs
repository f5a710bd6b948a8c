//! The manual pages of programs are made from `bin/`: this compares them, or writes them when
//! `scripts/man` asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Operator's commands are section 1, everything in `lib` section 8.
const COMMANDS: [&str; 4] = ["imsimta", "msconfig", "configure", "configtoxml"];

const EXECUTABLES: [(&str, &str); 15] = [
    ("bitbucket", env!("CARGO_BIN_EXE_bitbucket")),
    ("configtoxml", env!("CARGO_BIN_EXE_configtoxml")),
    ("configure", env!("CARGO_BIN_EXE_configure")),
    ("conversion", env!("CARGO_BIN_EXE_conversion")),
    ("dispatcher", env!("CARGO_BIN_EXE_dispatcher")),
    ("ims_master", env!("CARGO_BIN_EXE_ims_master")),
    ("imsched", env!("CARGO_BIN_EXE_imsched")),
    ("imsimta", env!("CARGO_BIN_EXE_imsimta")),
    ("job_controller", env!("CARGO_BIN_EXE_job_controller")),
    ("msconfig", env!("CARGO_BIN_EXE_msconfig")),
    ("reprocess", env!("CARGO_BIN_EXE_reprocess")),
    ("return_job", env!("CARGO_BIN_EXE_return_job")),
    ("tcp_smtp_client", env!("CARGO_BIN_EXE_tcp_smtp_client")),
    ("tcp_smtp_server", env!("CARGO_BIN_EXE_tcp_smtp_server")),
    ("watcher", env!("CARGO_BIN_EXE_watcher")),
];

#[test]
fn manual_pages_are_made_from_the_programs() {
    for (name, executable) in EXECUTABLES {
        let page = page(name, executable);
        let path = place(name);
        if std::env::var_os("IMTA_WRITE_MAN").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == page,
            "{} is out of date: run scripts/man",
            path.display()
        );
    }
}

#[test]
fn manual_pages_are_without_warnings() {
    for entry in fs::read_dir(Path::new(HERE).join("man")).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8"])
            .arg(&path)
            .env("MANWIDTH", "80")
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{}: {complaints}",
            path.display()
        );
    }
}

#[test]
fn every_switch_of_imsimta_appears_in_its_page() {
    let page = fs::read_to_string(place("imsimta"))
        .unwrap()
        .replace("\\-", "-");
    for utility in imsimta::front::UTILITIES {
        for verb in utility.verbs {
            for switch in verb.switches {
                assert!(
                    page.contains(&format!("-{}", switch.name)),
                    "{} -{}",
                    verb.name,
                    switch.name
                );
            }
        }
    }
}

fn place(name: &str) -> PathBuf {
    let section = if COMMANDS.contains(&name) { 1 } else { 8 };
    Path::new(HERE)
        .join("man")
        .join(format!("{name}.{section}"))
}

fn page(name: &str, executable: &str) -> String {
    let section = if COMMANDS.contains(&name) { 1 } else { 8 };
    let source =
        fs::read_to_string(Path::new(HERE).join("bin").join(format!("{name}.rs"))).unwrap();
    let mut page = format!(
        ".TH {} {section} \"\" \"imta\" \"imta manual\"\n",
        name.to_uppercase()
    );
    let prose: Vec<&str> = source
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| line[3..].strip_prefix(' ').unwrap_or(&line[3..]))
        .collect();
    let mut options_due = true;
    let mut verbatim = false;
    let mut bold = false;
    for line in prose {
        match line.strip_prefix("# ") {
            Some(title) if !verbatim => {
                if options_due
                    && [
                        "FILES",
                        "SIGNALS",
                        "SECURITY",
                        "DIAGNOSTICS",
                        "EXIT STATUS",
                        "BUGS",
                        "SEE ALSO",
                    ]
                    .contains(&title)
                {
                    options_due = false;
                    page.push_str(&options(name, executable));
                }
                page.push_str(&format!(".SH {title}\n"));
            }
            _ if line.starts_with("```") => {
                verbatim = !verbatim;
                page.push_str(if verbatim { ".PP\n.nf\n" } else { ".fi\n" });
            }
            _ if verbatim => page.push_str(&format!("{}\n", escape(line))),
            _ if line.trim().is_empty() => page.push_str(".PP\n"),
            _ => match line.strip_prefix(": ") {
                // The line before was no text but what this one explains.
                Some(explanation) => {
                    let term = page.trim_end().rsplit_once('\n');
                    let (before, term) = term.map(|(b, t)| (b.len() + 1, t.to_owned())).unwrap();
                    page.truncate(before);
                    page.push_str(&format!(
                        ".TP\n{term}\n{}\n",
                        marked(explanation, &mut bold)
                    ));
                }
                None => page.push_str(&format!("{}\n", marked(line, &mut bold))),
            },
        }
    }
    if options_due {
        page.push_str(&options(name, executable));
    }
    tidy(&page)
}

fn options(name: &str, executable: &str) -> String {
    let mut text = String::new();
    if name == "imsimta" {
        text.push_str(".SH UTILITIES\n");
        for utility in imsimta::front::UTILITIES {
            text.push_str(&format!(
                ".SS {}\n{}\n",
                utility.name,
                escape(utility.about)
            ));
            for verb in utility.verbs {
                let words = if verb.name == utility.name {
                    verb.usage()
                } else {
                    format!("{} {}", utility.name, verb.usage())
                };
                text.push_str(&format!(
                    ".TP\n\\fBimsimta {}\\fR\n{}\n",
                    escape(&words),
                    escape(verb.about)
                ));
                for switch in verb.switches {
                    text.push_str(&format!(
                        ".br\n\\fB\\-{}\\fR: {}\n",
                        escape(switch.name),
                        escape(switch.help)
                    ));
                }
            }
        }
        return text;
    }
    // msconfig explains itself by a command of its dialogue.
    let (word, title) = if name == "msconfig" {
        ("help", "COMMANDS")
    } else {
        ("--help", "OPTIONS")
    };
    let output = Command::new(executable).arg(word).output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name} {word}");
    text.push_str(&format!(".SH {title}\n.nf\n"));
    let begun = |line: &&str| !line.starts_with("Usage") && word == "--help";
    for line in help.lines().skip_while(begun) {
        text.push_str(&format!("{}\n", escape(line.trim_end())));
    }
    text.push_str(".fi\n");
    text
}

/// Text with what stands between backquotes in bold, perhaps from one line to the next.
fn marked(line: &str, bold: &mut bool) -> String {
    let mut text = String::new();
    for (number, part) in escape(line).split('`').enumerate() {
        if number > 0 {
            *bold = !*bold;
            text.push_str(if *bold { "\\fB" } else { "\\fR" });
        }
        text.push_str(part);
    }
    text
}

fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

/// No empty paragraphs, none before a section.
fn tidy(page: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in page.lines() {
        let heads = [".SH", ".SS", ".TP"]
            .iter()
            .any(|head| line.starts_with(head));
        let heads = heads || line == ".PP";
        while heads && lines.last() == Some(&".PP") {
            lines.pop();
        }
        if line == ".PP"
            && lines
                .last()
                .is_some_and(|last| last.starts_with(".SH") || last.starts_with(".SS"))
        {
            continue;
        }
        lines.push(line);
    }
    while lines.last() == Some(&".PP") {
        lines.pop();
    }
    lines.join("\n") + "\n"
}
