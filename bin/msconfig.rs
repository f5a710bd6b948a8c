//! # NAME
//!
//! msconfig - show and change the configuration
//!
//! # SYNOPSIS
//!
//! `msconfig [-json] [COMMAND [WORD...]]`
//!
//! # DESCRIPTION
//!
//! Without a command, `msconfig` reads commands: from a terminal with the prompt `msconfig> `,
//! which becomes `msconfig# ` while there are changes that were not written, or from a pipe
//! without a prompt. With a command it runs this one, and a change is written at once.
//!
//! Options have names such as `role.job_controller.job_pool:SMTP_POOL.job_limit`. The scope
//! (`role.` or `instance.`) and leading groups may be left out as long as the rest is
//! unambiguous; a dot inside the name of a group is written `\.`.
//!
//! `set [-restricted] [-prompt] NAME [VALUE]`
//! : set an option, or make a group. Options that may have several values get one more. The
//! value is checked against the option's type and range. `-restricted` allows options that are
//! meant for the vendor; `-prompt` asks for the value twice without showing it.
//!
//! `unset [-restricted] NAME [VALUE]`
//! : remove an option, a group, everything that a pattern with `*` or `?` means, or one of
//! several values. A pattern that means the whole configuration is refused.
//!
//! `show [-json] [PATTERN]`
//! : print what is set, one value a line, sorted by name. Passwords appear as `(suppressed)`.
//!
//! `edit [-restricted] PART`
//! : open a part of the configuration as text in `$EDITOR` (`vi` when it is not set): `rewrites`,
//! `channels`, `mappings`, `aliases`, `conversions` or `options`, in the form that legacy files
//! have. Beginnings of these words will do. When the editor ends, the text is checked; faults are
//! shown with their lines and the text may be edited again. Symbolic names such as
//! `&/IMTA_HOST/` stay as they are; passwords are shown as `(suppressed)` and stay as they are.
//! Comments are not kept.
//!
//! `import [-restricted] PART FILE`, `export PART [FILE]`
//! : the same without an editor; `-` is standard input.
//!
//! `run RECIPE`
//! : run a recipe: the file of that name, or `RECIPE.rcp`, here or in `lib/recipes`. What it
//! changes is written as one change, and nothing is when it fails.
//!
//! `exec EXPRESSION`
//! : print the value of an expression of the recipe language, such as `get_option("mm_debug")`
//! or `get_path "config"`.
//!
//! `write [-remark=TEXT]`
//! : write the changes of the dialogue.
//!
//! `history [-json]`, `differences [ID [ID]]`, `revert ID`
//! : list earlier configurations, compare them, take one back. On the command line `history`,
//! `revert ID` and `differences ID ID` do without a current configuration that can be read.
//!
//! `help [COMMAND|option NAME]`
//! : the commands, how one is used, or what is known about an option: its meaning, type, default,
//! and what makes a change of it count. A name without its group is looked for in all of them.
//!
//! `exit`, `quit`
//! : end the dialogue; `exit` asks when there are changes, `quit` drops them. A script that ends
//! in another way with changes that were not written ends with an error.
//!
//! A change takes effect when it has been compiled (`imsimta cnbuild`), if a compiled
//! configuration is in use, and the programs concerned were restarted.
//!
//! At the prompt lines can be edited, and the tab key completes commands, parts and names of
//! options.
//!
//! # RECIPES
//!
//! A recipe is a script in the language of `imsimta calc`: integers, strings and lists, variables,
//! `if (...) { ... } elsif ... else ...`, `while (...) { ... }`, `foreach NAME (LIST) { ... }`,
//! the operators `+ - * / % . == != < <= > >= && || !`, comments from `#` to the end of the line.
//! The functions `length`, `upper`, `lower`, `trim`, `string`, `integer`, `abs`, `substr`,
//! `index`, `contains`, `split`, `join`, `replace`, `matches`, `sort`, `element`, `min` and `max`
//! belong to the language; these are for recipes:
//!
//! `get_option(NAME)`, `get_options(PATTERN)`
//! : the value of an option, empty if it is not set; a list of pairs of name and value
//!
//! `set_option(NAME[, VALUE])`, `unset_option(NAME)`, `exists_option(NAME)`
//! : as the commands, checked in the same way
//!
//! `exists_channel(NAME)`, `add_channel(NAME, KEYWORDS, HOST)`, `delete_channel(NAME)`
//! : channel blocks; the keywords are those of the legacy form
//!
//! `exists_rewrite(PATTERN)`, `append_rewrites([PATTERN, TEMPLATE, ...])`, `prepend_rewrites(...)`,
//! `delete_rewrites(PATTERN)`
//! : rewrite rules
//!
//! `exists_mapping(TABLE)`, `append_mapping(TABLE, [PATTERN, TEMPLATE, ...])`,
//! `prepend_mapping(...)`, `delete_mapping(TABLE[, PATTERN])`
//! : mapping tables
//!
//! `make_path(NAME)`, `ask(QUESTION[, DEFAULT])`, `print(...)`, `warn(...)`, `exit()`
//! : file names without symbols; questions, text for the user, the end
//!
//! `get_option_modification_locations(NAME)`
//! : lines of the recipe that have changed an option
//!
//! `description(TEXT)` and `keywords(TEXT)` say what a recipe is for. These recipes are
//! installed: `LogTrail`, `NewChannel`, `StopInbound`, `ResumeInbound`, `SmartHost`.
//!
//! # FILES
//!
//! `lib/recipes`
//! : recipes
//!
//! `config/config.xml`
//! : the options
//!
//! `config/xpass.xml`
//! : passwords and other secrets
//!
//! `config/restricted.cnf`
//! : the accounts of the server, which only the owner of this file may change
//!
//! `config/old-configs`
//! : the last hundred configurations, with time, user and remark
//!
//! `config/.config.lock`
//! : held while the configuration is written
//!
//! # SIGNALS
//!
//! None is handled. Files are written aside and renamed, so that a program that is interrupted
//! leaves the old or the new configuration.
//!
//! # SECURITY
//!
//! As root, it becomes the owner of the configuration directory before it reads anything, except
//! to change `restricted.cnf`. It trusts its terminal and those files.
//!
//! # DIAGNOSTICS
//!
//! Exit status 1 with one line on standard error, such as `Unknown option: NAME`, `Ambiguous
//! option: NAME`, `Invalid value for NAME: expected integer`, `Option NAME is restricted; use set
//! -restricted`, `Option NAME is restricted; must be root`, `No options match "PATTERN"`,
//! `Configuration was changed by another process; write refused`.
//!
//! # BUGS
//!
//! Changes a Unified Configuration only; legacy files are edited as they are, or converted with
//! configtoxml(1). Comments in the text of `edit` and `import` are dropped.
//!
//! # SEE ALSO
//!
//! configtoxml(1), configure(1), imsimta(1)

use std::process::ExitCode;

use clap::Parser;

/// Show and change the configuration.
#[derive(Debug, Parser)]
#[command(version, disable_help_flag = true, disable_help_subcommand = true)]
struct Arguments {
    /// The command and its words; none for the dialogue.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    words: Vec<String>,
}

fn main() -> ExitCode {
    msconfig::edit::main(&Arguments::parse().words)
}
