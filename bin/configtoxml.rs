//! # NAME
//!
//! configtoxml - make a Unified Configuration of a legacy one
//!
//! # SYNOPSIS
//!
//! `configtoxml [-f] [-l DIRECTORY] [--json]`
//!
//! # DESCRIPTION
//!
//! Reads `imta.cnf`, `mappings`, `aliases`, `option.dat`, `conversions`, `dispatcher.cnf`,
//! `job_controller.cnf`, `imta_tailor` and the option files of channels, writes the same as
//! `config.xml` and `xpass.xml`, and moves the files that it read to `config/legacy-config`.
//! Every address is rewritten afterwards as it was before.
//!
//! With an error in the legacy files nothing is changed; each is told with file and line, as by
//! `imsimta cnbuild`.
//!
//! The report names what was carried over, what had to be written in another way to mean the
//! same (the first pool of `job_controller.cnf` serves channels that name none; the first class
//! that matches a channel counts), and what could not be carried over: options that do not
//! exist here, periodic jobs whose times a crontab line cannot say, comments.
//!
//! Legacy files need not be converted: where there is no `config.xml` they are read as they are.
//! `msconfig` changes a Unified Configuration only.
//!
//! # FILES
//!
//! `config/config.xml`, `config/xpass.xml`
//! : what is written
//!
//! `config/restricted.cnf`
//! : written with the accounts of `imta_tailor` unless it is there
//!
//! `config/old-configs`
//! : the history; the converted configuration is its first version
//!
//! `config/legacy-config`
//! : the legacy files
//!
//! # SIGNALS
//!
//! None is handled. A run that is interrupted leaves the legacy configuration in force, or the
//! new one whole.
//!
//! # SECURITY
//!
//! Must be run by root or the owner of `config`. As root it writes `restricted.cnf` and then
//! gives up root for good.
//!
//! # DIAGNOSTICS
//!
//! Exit status 0 when the configuration was converted, otherwise 1 with a line on standard error.
//!
//! # BUGS
//!
//! Files of options for header lines (`headertrim`, `headerread`) stay where they are.
//!
//! # SEE ALSO
//!
//! configure(1), imsimta(1), msconfig(1)

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make a Unified Configuration of a legacy one.
#[derive(Debug, Parser)]
#[command(name = "configtoxml", version)]
struct Arguments {
    /// Replace a Unified Configuration that is there.
    #[arg(short, long)]
    force: bool,
    /// Where the legacy files go; config/legacy-config when not given.
    #[arg(short = 'l', long = "legacy-directory", value_name = "DIRECTORY")]
    legacy_directory: Option<PathBuf>,
    /// Name of the instance; has no effect, there is one in a server root.
    #[arg(short = 'i', long, value_name = "INSTANCE", default_value = "ims")]
    instance: String,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl From<Arguments> for msconfig::configtoxml::Arguments {
    fn from(typed: Arguments) -> Self {
        Self {
            force: typed.force,
            legacy_directory: typed.legacy_directory,
            json: typed.json,
        }
    }
}

fn main() -> ExitCode {
    mta_process::exit(msconfig::configtoxml::run(&Arguments::parse().into()))
}
