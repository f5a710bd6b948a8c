//! `imsimta version`.

use crate::context::{Context, Outcome};
use mta_command::output;
use mta_command::switches::Verb;

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "version",
    about: "print product, library, configuration and system",
    parameters: "",
    least: 0,
    most: 0,
    switches: &[],
}];

pub(crate) fn run(context: &Context, typed: &[String]) -> Outcome {
    VERBS[0].parse(typed)?;
    banner()?;
    let image = context.root.image();
    let used = if image.exists() {
        image
    } else {
        context.root.config_xml()
    };
    output::line(&format!("Using {}", used.display()));
    output::line(&system());
    Ok(())
}

/// The two lines that need no server root.
pub(crate) fn banner() -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let bits = usize::BITS;
    output::line(&format!("imta Messaging Server {version} {bits}bit"));
    output::line(&format!(
        "libimta {version} {bits}bit (configuration format {}, protocol {})",
        mta_config::image::FORMAT,
        mta_ipc::PROTOCOL_VERSION
    ));
    Ok(())
}

fn system() -> String {
    match nix::sys::utsname::uname() {
        Ok(name) => [
            name.sysname(),
            name.nodename(),
            name.release(),
            name.version(),
            name.machine(),
        ]
        .map(|part| part.to_string_lossy().into_owned())
        .join(" "),
        Err(error) => format!("uname: {error}"),
    }
}
