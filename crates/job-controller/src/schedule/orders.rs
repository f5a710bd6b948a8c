//! What operators order: channels stopped, started and run, settings altered.

use super::{Action, Scheduler};
use crate::cache::ChannelId;
use mta_config::pool::ChannelClass;
use mta_envelope::names::ChannelName;
use mta_ipc::job_controller::{Change, JobId};
use std::collections::BTreeSet;

impl Scheduler {
    pub(super) fn hold_list(&mut self, stopped: BTreeSet<ChannelName>) {
        let mut leaving = Vec::new();
        for n in 0..self.channels.len() {
            let id = super::channel_id(n);
            let now_stopped = stopped.contains(&self.channel(id).settings.name);
            let channel = self.channel_mut(id);
            let was_stopped = std::mem::replace(&mut channel.stopped, now_stopped);
            if now_stopped && !was_stopped {
                leaving.extend(self.children(id).map(|job| job.id));
            } else if was_stopped && !now_stopped {
                channel.start_after = 0;
                self.touch(id);
            }
        }
        self.stopped = stopped;
        for job in leaving {
            self.retire(job);
        }
    }

    pub(super) fn submit(&mut self, name: &ChannelName, poll: bool) {
        let Some(id) = self.by_name.get(name).copied() else {
            let reason = format!("no such channel: {name}");
            self.actions.push(Action::Refuse(reason));
            return;
        };
        if self.channel(id).stopped {
            let reason = format!("channel {name} is stopped");
            self.actions.push(Action::Refuse(reason));
            return;
        }
        // Running jobs may remember hosts that did not answer; whoever asks by hand wants them
        // tried now, and by a job that remembers nothing.
        let jobs = self
            .jobs
            .iter()
            .filter(|(_, job)| job.channel == id && job.is_child());
        let jobs: Vec<JobId> = jobs.map(|(job, _)| *job).collect();
        for job in jobs {
            self.retire(job);
        }
        let waiting = self.cache.waiting(id);
        let channel = self.channel_mut(id);
        channel.start_after = 0;
        channel.poll |= poll;
        channel.hurry = waiting;
        self.touch(id);
        self.release_due(id);
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Debug(mask) => self.settings.debug = mask,
            Change::MaxMessages(n) => self.settings.max_messages = n.max(10),
            Change::ParallelRebuild(n) => self.settings.parallel_rebuild = n.clamp(1, 64),
            Change::InorderRebuild(yes) => self.settings.inorder_rebuild = yes,
            Change::MasterCommand { class, command } => self.change_command(class, command),
            Change::ThreadDepth { channel, n } => {
                if let Some(id) = self.named(&channel) {
                    self.channel_mut(id).settings.threaddepth = n.max(1);
                    self.refresh_all(id);
                    self.touch(id);
                }
            }
            Change::JobLimit { channel, n } => {
                if let Some(id) = self.named(&channel) {
                    self.channel_mut(id).settings.maxjobs = n;
                    self.touch(id);
                }
            }
        }
    }

    /// The channel of a request that alters it, which is refused if there is none.
    fn named(&mut self, name: &ChannelName) -> Option<ChannelId> {
        let found = self.by_name.get(name).copied();
        if found.is_none() {
            let reason = format!("no such channel: {name}");
            self.actions.push(Action::Refuse(reason));
        }
        found
    }

    /// Redefines a class, or adds one: a new one for a single channel takes over what the
    /// channel's present class says.
    fn change_command(&mut self, pattern: String, command: String) {
        let classes = &mut self.settings.classes;
        match classes.iter_mut().find(|class| class.pattern == pattern) {
            Some(class) => class.master_command = Some(command),
            None => {
                let single = ChannelName::new(&pattern).ok();
                let present = single
                    .as_ref()
                    .and_then(|name| classes.iter().find(|class| class.matches(name.as_str())));
                let class = ChannelClass {
                    pattern,
                    master_command: Some(command),
                    slave_command: None,
                    max_life_time: present.map_or(1_800, |class| class.max_life_time),
                    max_life_askwork: present.map_or(300, |class| class.max_life_askwork),
                    anon_host: present.is_none_or(|class| class.anon_host),
                    windows: present.map_or_else(Default::default, |class| class.windows.clone()),
                };
                classes.push(class);
                self.settings.sort_classes();
            }
        }
        for n in 0..self.channels.len() {
            let channel = &mut self.channels[n];
            channel.class =
                super::channel::class_of(&self.settings.classes, &channel.settings.name);
            self.touch(super::channel_id(n));
        }
    }
}
