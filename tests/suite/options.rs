//! The manual pages of section 5 and the shell completions are made from the tables that parser
//! and programs read: this compares them, or writes them when `scripts/man` asks.

use mta_command::switches::Value;
use mta_config::{channel, option};
use std::fs;
use std::path::{Path, PathBuf};

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn compare(name: &str, made: &str) {
    let path = place(name);
    if std::env::var_os("IMTA_WRITE_MAN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{name} is out of date: run scripts/man");
}

fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

#[test]
fn mta_options_have_their_page() {
    let mut page = ".TH MTA-OPTIONS 5 \"\" \"imta\" \"imta manual\"\n.SH NAME\nmta\\-options \\- options of the whole MTA\n\
        .SH DESCRIPTION\nSet with msconfig as\n.B mta.NAME\nand shown by msconfig show. Options that are accepted and that no code uses yet \
        stand in the second list, and imsimta cnbuild \\-unused names those that are set.\n.SH OPTIONS\n".to_owned();
    for used in [true, false] {
        if !used {
            page.push_str(".SH ACCEPTED WITHOUT EFFECT\n");
        }
        for row in option::ROWS.iter().filter(|row| row.in_use == used) {
            let default = if row.default.is_empty() {
                String::new()
            } else {
                format!(" (default {})", row.default)
            };
            page.push_str(&format!(
                ".TP\n.B {}\n{}{}\n",
                escape(row.name),
                escape(row.sentence),
                escape(&default)
            ));
        }
    }
    compare("man/mta-options.5", &page);
}

#[test]
fn channel_options_have_their_page() {
    let mut page = ".TH CHANNEL-OPTIONS 5 \"\" \"imta\" \"imta manual\"\n.SH NAME\nchannel\\-options \\- options of one channel\n\
        .SH DESCRIPTION\nSet with msconfig as\n.B channel:NAME.OPTION\nor for all channels as\n.B channel:defaults.OPTION.\n\
        Of the words of an exclusive group the last one holds. Options that are accepted and that no code uses yet stand in the \
        second list.\n.SH OPTIONS\n".to_owned();
    for used in [true, false] {
        if !used {
            page.push_str(".SH ACCEPTED WITHOUT EFFECT\n");
        }
        for row in channel::ROWS.iter().filter(|row| row.in_use == used) {
            let mut names = vec![row.name];
            names.extend(row.aliases);
            let default = if row.group_default { " (default)" } else { "" };
            page.push_str(&format!(
                ".TP\n.B {}\n{}{default}\n",
                escape(&names.join(", ")),
                escape(row.sentence)
            ));
        }
    }
    compare("man/channel-options.5", &page);
}

#[test]
fn imsimta_has_completions() {
    let utilities = imsimta::front::UTILITIES;
    let names: Vec<&str> = utilities.iter().map(|utility| utility.name).collect();
    let mut cases = String::new();
    for utility in utilities {
        let mut words: Vec<String> = Vec::new();
        for verb in utility.verbs {
            if utility.verbs.len() > 1 && !verb.name.starts_with('-') {
                words.push(verb.name.to_owned());
            }
            for switch in verb.switches {
                let value = if matches!(switch.value, Value::Required(_)) {
                    "="
                } else {
                    ""
                };
                words.push(format!("-{}{value}", switch.name));
            }
        }
        words.sort();
        words.dedup();
        cases.push_str(&format!(
            "    {}) words=\"{}\" ;;\n",
            utility.name,
            words.join(" ")
        ));
    }
    let script = format!(
        "# Completion of imsimta for bash; made by scripts/man from the command table.\n\
         _imsimta() {{\n  local words=\"\"\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"{} help\"\n  else\n    \
         case ${{COMP_WORDS[1]}} in\n{cases}    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\n\
         complete -o nospace -F _imsimta imsimta\n",
        names.join(" ")
    );
    compare("etc/completions/imsimta.bash", &script);
}
