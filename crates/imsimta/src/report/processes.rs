//! `imsimta process`.

use super::clock;
use serde::Serialize;
use std::fmt;

/// One MTA process.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Process {
    pub(crate) user: String,
    pub(crate) pid: i32,
    /// One letter, as `ps` shows it.
    pub(crate) state: char,
    /// Kibibytes.
    pub(crate) virtual_size: u64,
    /// Kibibytes.
    pub(crate) resident_size: u64,
    /// Seconds since 1970.
    pub(crate) started: i64,
    /// Seconds of CPU time.
    pub(crate) cpu_time: u64,
    pub(crate) command: String,
    pub(crate) image: Option<Image>,
}

/// The configuration a process runs with, with `-image`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Image {
    pub(crate) fixed: String,
    pub(crate) reloadable: String,
}

/// All processes of this server root.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Processes {
    pub(crate) processes: Vec<Process>,
    #[serde(skip)]
    pub(crate) now: i64,
    #[serde(skip)]
    pub(crate) with_image: bool,
}

impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = if self.with_image {
            "IMAGE             RELOADABLE        "
        } else {
            ""
        };
        writeln!(
            f,
            "USER     PID   S VSZ   RSS   STIME    TIME     {image}COMMAND"
        )?;
        for process in &self.processes {
            write!(
                f,
                "{:<8} {:>5} {} {:>5} {:>5} {:<8} {:>7} ",
                process.user,
                process.pid,
                process.state,
                process.virtual_size,
                process.resident_size,
                clock::start(process.started, self.now),
                format!("{:02}:{:02}", process.cpu_time / 60, process.cpu_time % 60),
            )?;
            if self.with_image {
                let (fixed, reloadable) = match &process.image {
                    Some(image) => (image.fixed.as_str(), image.reloadable.as_str()),
                    None => ("-", "-"),
                };
                write!(f, "{fixed:<17} {reloadable:<17} ")?;
            }
            writeln!(f, "{}", mta_command::output::visible(&process.command))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_as_documented() {
        let process = Process {
            user: "mailsrv".into(),
            pid: 4187,
            state: 'S',
            virtual_size: 46_880,
            resident_size: 17_704,
            started: 0,
            cpu_time: 111,
            command: "/opt/msg/lib/dispatcher".into(),
            image: None,
        };
        let listing = Processes {
            processes: vec![process],
            now: 10_000_000,
            with_image: false,
        };
        let day = clock::start(0, 10_000_000);
        let expected = format!(
            "USER     PID   S VSZ   RSS   STIME    TIME     COMMAND\n\
             mailsrv   4187 S 46880 17704 {day}     01:51 /opt/msg/lib/dispatcher\n"
        );
        assert_eq!(listing.to_string(), expected);
    }
}
