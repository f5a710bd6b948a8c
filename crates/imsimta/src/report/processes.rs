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
    /// With `-image`: what it runs, or nothing if it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<Option<Image>>,
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
        let width = |least: usize, text: &dyn Fn(&Process) -> String| {
            let widths = self.processes.iter().map(|process| text(process).len());
            widths.max().unwrap_or(0).max(least)
        };
        let user = width(8, &|process| process.user.clone());
        let pid = width(5, &|process| process.pid.to_string());
        let virtual_size = width(5, &|process| process.virtual_size.to_string());
        let resident_size = width(5, &|process| process.resident_size.to_string());
        let time = width(7, &cpu_time);
        writeln!(
            f,
            "{:<user$} {:<pid$} S {:<virtual_size$} {:<resident_size$} STIME    {:<time$}  {image}COMMAND",
            "USER", "PID", "VSZ", "RSS", "TIME"
        )?;
        for process in &self.processes {
            write!(
                f,
                "{:<user$} {:>pid$} {} {:>virtual_size$} {:>resident_size$} {:<8} {:>time$} ",
                process.user,
                process.pid,
                process.state,
                process.virtual_size,
                process.resident_size,
                clock::start(process.started, self.now),
                cpu_time(process),
            )?;
            if self.with_image {
                let (fixed, reloadable) = match &process.image {
                    Some(Some(image)) => (image.fixed.as_str(), image.reloadable.as_str()),
                    Some(None) | None => ("-", "-"),
                };
                write!(f, "{fixed:<17} {reloadable:<17} ")?;
            }
            writeln!(f, "{}", mta_command::output::visible(&process.command))?;
        }
        Ok(())
    }
}

fn cpu_time(process: &Process) -> String {
    format!("{:02}:{:02}", process.cpu_time / 60, process.cpu_time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(virtual_size: u64) -> Process {
        Process {
            user: "mailsrv".into(),
            pid: 4187,
            state: 'S',
            virtual_size,
            resident_size: 17_704,
            started: 0,
            cpu_time: 111,
            command: "/opt/msg/lib/dispatcher".into(),
            image: None,
        }
    }

    fn listing(processes: Vec<Process>) -> Processes {
        Processes {
            processes,
            now: 10_000_000,
            with_image: false,
        }
    }

    #[test]
    fn columns_stand_as_documented() {
        let day = clock::start(0, 10_000_000);
        let expected = format!(
            "USER     PID   S VSZ   RSS   STIME    TIME     COMMAND\n\
             mailsrv   4187 S 46880 17704 {day}     01:51 /opt/msg/lib/dispatcher\n"
        );
        assert_eq!(listing(vec![process(46_880)]).to_string(), expected);
    }

    #[test]
    fn a_large_process_moves_the_whole_column() {
        let day = clock::start(0, 10_000_000);
        let expected = format!(
            "USER     PID   S VSZ     RSS   STIME    TIME     COMMAND\n\
             mailsrv   4187 S   46880 17704 {day}     01:51 /opt/msg/lib/dispatcher\n\
             mailsrv   4187 S 1383240 17704 {day}     01:51 /opt/msg/lib/dispatcher\n"
        );
        let processes = vec![process(46_880), process(1_383_240)];
        assert_eq!(listing(processes).to_string(), expected);
    }

    #[test]
    fn an_image_that_is_not_asked_for_is_not_unknown() {
        let mut one = process(1);
        let json = |process: &Process| serde_json::to_value(process).unwrap();
        assert!(json(&one).get("image").is_none());
        one.image = Some(None);
        assert!(json(&one)["image"].is_null() && json(&one).get("image").is_some());
    }
}
