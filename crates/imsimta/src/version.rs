//! `imsimta version`: for everybody, asking nobody.

use crate::context::{self, Outcome};
use crate::report::clock;
use mta_command::output;
use mta_command::switches::Verb;
use mta_config::paths::ServerRoot;
use mta_config::source::Form;

pub(crate) const VERBS: &[Verb] = &[Verb {
    name: "version",
    about: "print product, library, configuration and system",
    parameters: "",
    least: 0,
    most: 0,
    switches: &[],
}];

/// Seconds since 1970 at which this crate was built.
const BUILT: &str = env!("IMTA_BUILT");

pub(crate) fn run(typed: &[String]) -> Outcome {
    VERBS[0].parse(typed)?;
    banner()?;
    if let Ok(root) = context::server_root() {
        output::line(&used(&root));
    }
    output::line(&system());
    Ok(())
}

/// The two lines that need no server root.
pub(crate) fn banner() -> Outcome {
    output::block(&product(BUILT.parse().unwrap_or(0)));
    Ok(())
}

fn product(built: i64) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let bits = usize::BITS;
    let (day, time) = clock::built(built);
    format!(
        "imta Messaging Server {version} {bits}bit (built {day})\n\
         libimta {version} {bits}bit (built {time}, {day}; configuration format {}, protocol {})\n",
        mta_config::image::FORMAT,
        mta_ipc::PROTOCOL_VERSION
    )
}

/// The text that the configuration is written in, and the image that is in force instead of it.
fn used(root: &ServerRoot) -> String {
    let text = match Form::of(root) {
        Form::Unified => root.config_xml(),
        Form::Legacy => root.imta_cnf(),
    };
    let image = root.image();
    match (text.exists(), image.exists()) {
        (true, true) => format!(
            "Using {}, compiled into {}",
            text.display(),
            image.display()
        ),
        (true, false) => format!("Using {}", text.display()),
        (false, true) => format!("Using {}, without its text", image.display()),
        (false, false) => format!("Using no configuration: {} is not there", text.display()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn both_lines_name_the_time_of_the_build() {
        let text = product(1_514_808_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("bit (built Jan  1 2018)"), "{text}");
        assert!(
            lines[1].contains("(built 12:00:00, Jan  1 2018; "),
            "{text}"
        );
        assert!(BUILT.parse::<i64>().unwrap() > 1_700_000_000);
    }

    #[test]
    fn the_text_is_named_and_the_image_if_there_is_one() {
        let name = format!("imsimta-version-{}", std::process::id());
        let root = ServerRoot::new(std::env::temp_dir().join(name));
        assert!(used(&root).starts_with("Using no configuration: "));
        fs::create_dir_all(root.image().parent().unwrap()).unwrap();
        fs::write(root.config_xml(), "").unwrap();
        let text = root.config_xml().display().to_string();
        assert_eq!(used(&root), format!("Using {text}"));
        fs::write(root.image(), "").unwrap();
        let image = root.image().display().to_string();
        assert_eq!(used(&root), format!("Using {text}, compiled into {image}"));
        drop(fs::remove_dir_all(root.root()));
    }
}
