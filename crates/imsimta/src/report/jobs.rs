//! `qm jobs` and `qm messages`.

use mta_ipc::job_controller::{ChannelJobs, HostCount, JobView};
use serde::Serialize;
use std::fmt;

/// One job of a channel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Job {
    pub(crate) pid: u32,
    pub(crate) hosts: Vec<String>,
    pub(crate) messages: Vec<String>,
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    pub(crate) age: u64,
}

/// One channel with jobs or waiting messages.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Channel {
    pub(crate) channel: String,
    pub(crate) stopped: bool,
    pub(crate) jobs: Vec<Job>,
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
    #[serde(skip)]
    pub(crate) with_hosts: bool,
    #[serde(skip)]
    pub(crate) with_jobs: bool,
    #[serde(skip)]
    pub(crate) with_messages: bool,
}

impl From<ChannelJobs> for Channel {
    fn from(told: ChannelJobs) -> Self {
        Self {
            channel: told.channel.to_string(),
            stopped: told.stopped,
            jobs: told.jobs.into_iter().map(Job::from).collect(),
            ready: told.ready,
            waiting: told.waiting,
            delivered: told.delivered,
            requeued: told.requeued,
            limit: told.limit,
        }
    }
}

impl From<JobView> for Job {
    fn from(told: JobView) -> Self {
        Self {
            pid: told.pid,
            hosts: told.hosts,
            messages: told.messages.iter().map(ToString::to_string).collect(),
            processed: told.processed,
            failed: told.failed,
            age: told.age,
        }
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let busy =
            |channel: &&Channel| !channel.jobs.is_empty() || channel.ready + channel.waiting > 0;
        let mut active = 0;
        for channel in self.channels.iter().filter(busy) {
            active += usize::from(!channel.jobs.is_empty());
            write_channel(f, channel, self)?;
        }
        writeln!(f, "{:>8} ACTIVE CHANNELS", active)
    }
}

fn write_channel(f: &mut fmt::Formatter<'_>, channel: &Channel, how: &Jobs) -> fmt::Result {
    writeln!(f, "channel {}", channel.channel)?;
    if how.with_jobs {
        for job in &channel.jobs {
            writeln!(f, "        job {}", job.pid)?;
            if how.with_hosts {
                let hosts = job.hosts.iter().filter(|host| !host.is_empty());
                for host in hosts.clone() {
                    writeln!(f, "          host {}", mta_command::output::visible(host))?;
                }
                writeln!(
                    f,
                    "{:>12} HOST BEING PROCESSED BY JOB {}",
                    hosts.count(),
                    job.pid
                )?;
            }
            if how.with_messages {
                for message in &job.messages {
                    writeln!(f, "          message {message}")?;
                }
            }
            writeln!(f, "          processed messages: {}", job.processed)?;
            writeln!(f, "          failed processing attempts: {}", job.failed)?;
            writeln!(
                f,
                "{:>11} MESSAGES BEING PROCESSES BY JOB {}",
                job.messages.len(),
                job.pid
            )?;
        }
    }
    let name = &channel.channel;
    writeln!(
        f,
        "{:>10} JOBS ACTIVE FOR CHANNEL {name}",
        channel.jobs.len()
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

impl From<HostCount> for Host {
    fn from(told: HostCount) -> Self {
        Self {
            host: told.host,
            active: told.active,
            delayed: told.delayed,
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} active messages  delayed messages", "host")?;
        for host in &self.hosts {
            let name = if host.host.is_empty() {
                &self.channel
            } else {
                &host.host
            };
            let name = mta_command::output::visible(name);
            writeln!(f, "{name:<32} {:>15}  {:>16}", host.active, host.delayed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_shown_as_documented() {
        let job = Job {
            pid: 21456,
            hosts: vec!["mx.example.com".into(), "example.org".into()],
            messages: vec!["001/ZZ0T4K00A01C2R70.00".into()],
            processed: 4,
            failed: 1,
            age: 3,
        };
        let jobs = Jobs {
            channels: vec![Channel {
                channel: "tcp_local".into(),
                stopped: false,
                jobs: vec![job],
                ready: 0,
                waiting: 2,
                delivered: 3,
                requeued: 1,
                limit: String::new(),
            }],
            with_hosts: true,
            with_jobs: true,
            with_messages: true,
        };
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
        assert_eq!(jobs.to_string(), expected);
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
