//! What operators ask for, carried out: one command after the other, one act at a time, each as
//! far as the facts allow, with a dot for the operator now and then.

use std::time::{Duration, Instant};

use mta_config::config::Config;
use mta_ipc::control::{Asked, Asker, Slot};
use mta_ipc::watcher::{Reply, Request, Status};
use mta_process::exit::with_causes;
use mta_process::signal::Signal;

use crate::command::{Act, Command, STARTING};
use crate::component::{Component, KINDS, Readiness, Run};
use crate::daemon::Watcher;

/// What a daemon's former children get to end by themselves when it is stopped.
const GRACE: Duration = Duration::from_secs(60);

/// After this, what was told to end is killed.
const LAST: Duration = Duration::from_secs(90);

impl Watcher {
    /// Deals with what is ready on the control socket.
    pub(crate) fn serve_control(&mut self, slot: Slot) {
        let asked = match self.control.serve(slot) {
            Ok(asked) => asked,
            Err(error) => {
                self.log
                    .tell(format_args!("control socket: {}", with_causes(&error)));
                return;
            }
        };
        for Asked { from, request } in asked {
            if request == Request::Status {
                let status = self.status();
                self.say(Some(from), &Reply::Status(status));
                continue;
            }
            self.log.tell(format_args!("asked: {request:?}"));
            match Command::of(&request, from) {
                Ok(command) => self.commands.push_back(command),
                Err(reason) => self.say(Some(from), &Reply::Refused(reason)),
            }
        }
    }

    fn status(&self) -> Status {
        Status {
            pid: std::process::id(),
            components: self.components.iter().map(Component::told).collect(),
        }
    }

    /// Carries the first command on, as far as it goes now.
    pub(crate) fn go_on(&mut self, now: Instant) {
        while let Some(mut command) = self.commands.pop_front() {
            let Some(&act) = command.acts.first() else {
                let success = command.success;
                self.say(command.asker, &Reply::Done { success });
                continue;
            };
            let done = match act {
                Act::Start(number) => self.start(number, &mut command, now),
                Act::Stop {
                    component,
                    force,
                    restart,
                } => self.stop(component, (force, restart), &mut command, now),
                Act::End => {
                    self.ended = true;
                    Some(true)
                }
            };
            match done {
                Some(success) => {
                    command.advance(success);
                    self.commands.push_front(command);
                }
                None => {
                    if let Some(dot) = command.dot(now) {
                        self.say(command.asker, &dot);
                    }
                    self.commands.push_front(command);
                    return;
                }
            }
        }
    }

    fn start(&mut self, number: usize, command: &mut Command, now: Instant) -> Option<bool> {
        let name = KINDS[number].name;
        let asker = command.asker;
        let Some(begun) = command.begun else {
            return self.begin_start(number, command, now);
        };
        let component = &mut self.components[number];
        if component.trouble.is_none() {
            if let Run::Up { pid, .. } = component.run {
                let missing = std::mem::take(&mut component.missing);
                self.say(asker, &Reply::Text(format!(" {pid}\n")));
                for text in missing {
                    self.say(asker, &Reply::Complaint(format!("WARNING: {name}: {text}")));
                }
                return Some(true);
            }
            if now.saturating_duration_since(begun) < STARTING {
                return None;
            }
        }
        let trouble = component.trouble.take();
        let trouble = trouble.unwrap_or_else(|| "it does not become ready".to_owned());
        if asker.is_some() {
            // The operator is told that it does not run, so it must not run.
            component.wanted = false;
            component.tell_to_end(Signal::Terminate);
        }
        let logs = self.root.log();
        self.say(asker, &Reply::Text(" failed\n".to_owned()));
        self.say(
            asker,
            &Reply::Complaint(format!(
                "ERROR: {name}: {trouble}; see {0}/{name}.log-* and {0}/watcher",
                logs.display()
            )),
        );
        Some(false)
    }

    fn begin_start(&mut self, number: usize, command: &mut Command, now: Instant) -> Option<bool> {
        let name = KINDS[number].name;
        let asker = command.asker;
        let component = &mut self.components[number];
        if let Run::Stopping { .. } = component.run {
            return None;
        }
        if let Run::Up { .. } = component.run {
            self.say(
                asker,
                &Reply::Text(format!("{name} server is already running\n")),
            );
            return Some(true);
        }
        let enabled = Config::load(&self.root).map(|config| KINDS[number].is_enabled(&config));
        if let Ok(false) = enabled {
            self.say(
                asker,
                &Reply::Complaint(format!("ERROR: {name} is not enabled")),
            );
            return Some(false);
        }
        command.begun = Some(now);
        self.say(asker, &Reply::Text(format!("Starting {name} server ...")));
        let component = &mut self.components[number];
        component.wanted = enabled.is_ok();
        component.not_before = None;
        component.trouble = enabled.err().map(|error| with_causes(&error));
        None
    }

    fn stop(
        &mut self,
        number: usize,
        (force, restart): (bool, bool),
        command: &mut Command,
        now: Instant,
    ) -> Option<bool> {
        let config_dir = self.root.config();
        let component = &mut self.components[number];
        let name = component.kind.name;
        let target = component.pid().or_else(|| component.holder(&config_dir));
        // One that works is not stopped for a successor that could not start.
        if restart
            && command.begun.is_none()
            && target.is_some()
            && let Err(error) = Config::load(&self.root)
        {
            let text = format!("ERROR: {name} is not restarted: {}", with_causes(&error));
            self.say(command.asker, &Reply::Complaint(text));
            command.acts.truncate(1);
            return Some(false);
        }
        let leaves = restart || component.left.is_empty();
        let Some(begun) = command.begun else {
            command.begun = Some(now);
            component.wanted = false;
            component.not_before = None;
            if target.is_none() && leaves {
                if !restart {
                    self.say(
                        command.asker,
                        &Reply::Text(format!("{name} server is not running\n")),
                    );
                }
                return Some(true);
            }
            let shown = target.map_or_else(String::new, |pid| format!(" {pid}"));
            component.begin_to_stop(target, force, restart);
            if component.kind.readiness == Readiness::Services && !restart {
                self.ports.close();
            }
            self.say(
                command.asker,
                &Reply::Text(format!("Stopping {name} server{shown} ...")),
            );
            return None;
        };
        if target.is_none() && leaves {
            self.say(command.asker, &Reply::Text(" done\n".to_owned()));
            return Some(true);
        }
        let waited = now.saturating_duration_since(begun);
        if waited >= LAST {
            component.kill(target);
        } else if waited >= GRACE {
            component.end_what_is_left();
        }
        None
    }

    fn say(&mut self, to: Option<Asker>, reply: &Reply) {
        if let Some(Err(error)) = to.map(|asker| self.control.reply(asker, reply)) {
            self.log
                .tell(format_args!("control socket: {}", with_causes(&error)));
        }
    }
}
