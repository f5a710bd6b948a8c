//! `qm jobs` and `qm messages`.

use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{ChannelJobs, HostCount, JobView};
use serde::Serialize;
use std::fmt;

/// Which parts of a listing of jobs are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) hosts: bool,
    pub(crate) jobs: bool,
    pub(crate) messages: bool,
}

/// A list that was switched off keeps its count, and nothing else of it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Items<T> {
    items: Option<Vec<T>>,
    count: usize,
}

impl<T> Items<T> {
    fn of(items: Vec<T>, shown: bool) -> Self {
        Self {
            count: items.len(),
            items: shown.then_some(items),
        }
    }

    fn is_off(&self) -> bool {
        self.items.is_none()
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().flatten()
    }
}

impl<T: Serialize> Serialize for Items<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

/// One job of a channel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Job {
    pub(crate) pid: u32,
    #[serde(skip_serializing_if = "Items::is_off")]
    pub(crate) hosts: Items<String>,
    #[serde(skip_serializing_if = "Items::is_off")]
    pub(crate) messages: Items<String>,
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    pub(crate) age: u64,
}

/// One channel with jobs or waiting messages.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Channel {
    pub(crate) channel: String,
    pub(crate) stopped: bool,
    #[serde(skip_serializing_if = "Items::is_off")]
    pub(crate) jobs: Items<Job>,
    pub(crate) ready: u64,
    pub(crate) waiting: u64,
    pub(crate) delivered: u64,
    pub(crate) requeued: u64,
    /// Which limit keeps more jobs from being started; empty if none does.
    pub(crate) limit: String,
}

/// Everything the Job Controller is doing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Jobs {
    pub(crate) channels: Vec<Channel>,
}

impl Channel {
    /// What the Job Controller told of a channel, without the parts that are not wanted.
    pub(crate) fn of(told: ChannelJobs, parts: Parts) -> Self {
        let jobs = told.jobs.into_iter().map(|job| Job::of(job, parts));
        Self {
            channel: told.channel.to_string(),
            stopped: told.stopped,
            jobs: Items::of(jobs.collect(), parts.jobs),
            ready: told.ready,
            waiting: told.waiting,
            delivered: told.delivered,
            requeued: told.requeued,
            limit: told.limit,
        }
    }
}

impl Job {
    fn of(told: JobView, parts: Parts) -> Self {
        // A channel that does not sort by host binds its threads to none.
        let hosts = told.hosts.into_iter().filter(|host| !host.is_empty());
        let messages = told.messages.iter().map(ToString::to_string);
        Self {
            pid: told.pid,
            hosts: Items::of(hosts.collect(), parts.hosts),
            messages: Items::of(messages.collect(), parts.messages),
            processed: told.processed,
            failed: told.failed,
            age: told.age,
        }
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |channel: &&Channel| {
            channel.stopped || channel.jobs.count > 0 || channel.ready + channel.waiting > 0
        };
        let mut active = 0;
        for channel in self.channels.iter().filter(shown) {
            active += usize::from(channel.jobs.count > 0);
            write_channel(f, channel)?;
        }
        writeln!(f, "{:>8} ACTIVE CHANNELS", active)
    }
}

fn write_channel(f: &mut fmt::Formatter<'_>, channel: &Channel) -> fmt::Result {
    writeln!(f, "channel {}", channel.channel)?;
    for job in channel.jobs.iter() {
        writeln!(f, "        job {}", job.pid)?;
        if !job.hosts.is_off() {
            for host in job.hosts.iter() {
                writeln!(f, "          host {}", mta_command::output::visible(host))?;
            }
            writeln!(
                f,
                "{:>12} HOST BEING PROCESSED BY JOB {}",
                job.hosts.count, job.pid
            )?;
        }
        for message in job.messages.iter() {
            writeln!(f, "          message {message}")?;
        }
        writeln!(f, "          processed messages: {}", job.processed)?;
        writeln!(f, "          failed processing attempts: {}", job.failed)?;
        writeln!(
            f,
            "{:>11} MESSAGES BEING PROCESSES BY JOB {}",
            job.messages.count, job.pid
        )?;
    }
    let name = &channel.channel;
    writeln!(
        f,
        "{:>10} JOBS ACTIVE FOR CHANNEL {name}",
        channel.jobs.count
    )?;
    writeln!(
        f,
        "        messages ready: {}, waiting: {}",
        channel.ready, channel.waiting
    )?;
    writeln!(
        f,
        "        messages delivered: {}, requeued: {}",
        channel.delivered, channel.requeued
    )?;
    if channel.stopped {
        writeln!(f, "        channel is stopped (imsimta qm start {name})")?;
    } else if !channel.limit.is_empty() {
        writeln!(f, "        {}", channel.limit)?;
    }
    Ok(())
}

/// Messages of one channel, by host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Hosts {
    pub(crate) channel: String,
    pub(crate) hosts: Vec<Host>,
}

/// One host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Host {
    pub(crate) host: String,
    pub(crate) active: u64,
    pub(crate) delayed: u64,
}

impl Host {
    /// A channel that does not sort by host has one count, under its own name.
    pub(crate) fn of(told: HostCount, channel: &ChannelName) -> Self {
        let host = if told.host.is_empty() {
            channel.to_string()
        } else {
            told.host
        };
        Self {
            host,
            active: told.active,
            delayed: told.delayed,
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} active messages  delayed messages", "host")?;
        for host in &self.hosts {
            let name = mta_command::output::visible(&host.host);
            writeln!(f, "{name:<32} {:>15}  {:>16}", host.active, host.delayed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_envelope::names::Place;

    const ALL: Parts = Parts {
        hosts: true,
        jobs: true,
        messages: true,
    };

    fn jobs(parts: Parts) -> Jobs {
        let job = JobView {
            pid: 21456,
            hosts: vec!["mx.example.com".into(), "example.org".into()],
            messages: vec![Place::parse("001/ZZ0T4K00A01C2R70.00").unwrap()],
            processed: 4,
            failed: 1,
            age: 3,
        };
        let told = ChannelJobs {
            channel: ChannelName::new("tcp_local").unwrap(),
            stopped: false,
            jobs: vec![job],
            ready: 0,
            waiting: 2,
            delivered: 3,
            requeued: 1,
            limit: String::new(),
        };
        Jobs {
            channels: vec![Channel::of(told, parts)],
        }
    }

    #[test]
    fn a_job_is_shown_as_documented() {
        let expected = "channel tcp_local
        job 21456
          host mx.example.com
          host example.org
           2 HOST BEING PROCESSED BY JOB 21456
          message 001/ZZ0T4K00A01C2R70.00
          processed messages: 4
          failed processing attempts: 1
          1 MESSAGES BEING PROCESSES BY JOB 21456
         1 JOBS ACTIVE FOR CHANNEL tcp_local
        messages ready: 0, waiting: 2
        messages delivered: 3, requeued: 1
       1 ACTIVE CHANNELS
";
        assert_eq!(jobs(ALL).to_string(), expected);
    }

    #[test]
    fn what_is_switched_off_is_in_neither_form() {
        let off = |hosts, jobs, messages| Parts {
            hosts,
            jobs,
            messages,
        };
        for (parts, gone, words) in [
            (
                off(false, true, true),
                "/channels/0/jobs/0/hosts",
                "host mx",
            ),
            (
                off(true, true, false),
                "/channels/0/jobs/0/messages",
                "message 001",
            ),
            (off(true, false, true), "/channels/0/jobs", "job 21456"),
        ] {
            let (all, some) = (jobs(ALL), jobs(parts));
            let json = |jobs: &Jobs| serde_json::to_value(jobs).unwrap();
            assert!(json(&all).pointer(gone).is_some());
            assert!(json(&some).pointer(gone).is_none(), "{gone}");
            assert!(all.to_string().contains(words));
            assert!(!some.to_string().contains(words), "{words}");
            assert!(some.to_string().contains("1 JOBS ACTIVE"));
        }
    }

    #[test]
    fn a_stopped_channel_is_shown_with_nothing_queued() {
        let mut jobs = jobs(ALL);
        let channel = &mut jobs.channels[0];
        channel.jobs = Items::of(Vec::new(), true);
        (channel.waiting, channel.stopped) = (0, true);
        let text = jobs.to_string();
        assert!(
            text.contains("channel is stopped (imsimta qm start tcp_local)"),
            "{text}"
        );
        assert!(text.ends_with("       0 ACTIVE CHANNELS\n"), "{text}");
    }

    #[test]
    fn a_channel_without_hosts_is_its_own_host() {
        let told = HostCount {
            host: String::new(),
            active: 1,
            delayed: 0,
        };
        let channel = ChannelName::new("ims-ms").unwrap();
        assert_eq!(Host::of(told, &channel).host, "ims-ms");
    }

    #[test]
    fn hosts_have_two_counts() {
        let hosts = Hosts {
            channel: "tcp_local".into(),
            hosts: vec![
                Host {
                    host: "mx.example.com".into(),
                    active: 32,
                    delayed: 47,
                },
                Host {
                    host: "example.org".into(),
                    active: 0,
                    delayed: 3,
                },
            ],
        };
        let expected = "\
host                             active messages  delayed messages
mx.example.com                                32                47
example.org                                    0                 3
";
        assert_eq!(hosts.to_string(), expected);
    }
}
