//! What operators and the watcher ask on the control socket.

use std::sync::Arc;
use std::time::Instant;

use mta_config::config::Config;
use mta_envelope::names::ServiceName;
use mta_ipc::control::{Asked, Slot};
use mta_ipc::dispatcher::{Reply, Request, Status};
use mta_process::exit::with_causes;

use crate::balance::Phase;
use crate::debug::Topic;
use crate::run::{Dispatcher, State};
use crate::service::Service;

impl Dispatcher {
    /// Deals with what is ready on the control socket.
    pub(crate) fn serve_control(&mut self, slot: Slot, now: Instant) {
        let asked = match self.control.serve(slot) {
            Ok(asked) => asked,
            Err(error) => {
                self.log
                    .tell(format_args!("control socket: {}", with_causes(&error)));
                return;
            }
        };
        for Asked { from, request } in asked {
            self.log
                .debug(Topic::Service, format_args!("asked {request:?}"));
            let reply = match request {
                Request::Ready => {
                    self.awaiting.push(from);
                    continue;
                }
                Request::Status => Reply::Status(self.status(now)),
                Request::Statistics { service } => self.statistics(service.as_ref(), now),
                Request::StopService(name) => self.stop_service(&name),
                Request::RestartService(name) => self.restart_service(&name),
                Request::StartService(_) => Reply::Refused(
                    "a service cannot be started alone; restart the dispatcher".to_owned(),
                ),
                Request::Reload => match self.reload() {
                    Ok(()) => Reply::Ok,
                    Err(reason) => Reply::Refused(reason),
                },
            };
            self.answer(from, &reply);
        }
    }

    fn answer(&mut self, to: mta_ipc::control::Asker, reply: &Reply) {
        if let Err(error) = self.control.reply(to, reply) {
            self.log
                .tell(format_args!("control socket: {}", with_causes(&error)));
        }
    }

    /// Answers those who wait for the services, if it is time.
    pub(crate) fn answer_awaiting(&mut self) {
        if self.awaiting.is_empty() {
            return;
        }
        let reply = match (&self.trouble, self.state) {
            (_, State::Stopping { .. } | State::Leaving { .. }) => {
                Reply::Refused("the dispatcher is stopping".to_owned())
            }
            (Some(trouble), State::Running) => Reply::Refused(trouble.clone()),
            (None, State::Running) if self.services.iter().all(is_ready) => Reply::Ok,
            (None, State::Running) => return,
        };
        self.trouble = None;
        for asker in std::mem::take(&mut self.awaiting) {
            self.answer(asker, &reply);
        }
    }

    fn status(&self, now: Instant) -> Status {
        Status {
            pid: std::process::id(),
            fixed: self.config.identity.fixed.clone(),
            reloadable: self.config.identity.reloadable.clone(),
            from_image: self.config.identity.from_image,
            uptime: now.saturating_duration_since(self.started).as_secs(),
            children: self.services.iter().flat_map(Service::images).collect(),
        }
    }

    fn statistics(&self, only: Option<&ServiceName>, now: Instant) -> Reply {
        let services = self.services.iter();
        let wanted = services.filter(|s| only.is_none_or(|only| is_named(s, only)));
        let found: Vec<_> = wanted.map(|service| service.statistics(now)).collect();
        match only {
            Some(only) if found.is_empty() => {
                Reply::Refused(format!("no service {only} is served"))
            }
            _ => Reply::Statistics(found),
        }
    }

    /// Nothing more is accepted for the service. Its listeners are shared with the watcher, so
    /// closing ours would leave clients in the backlog without an answer: they are shut down
    /// instead, until the watcher opens them for another Dispatcher.
    fn stop_service(&mut self, name: &ServiceName) -> Reply {
        let Some(service) = self.services.iter_mut().find(|s| is_named(s, name)) else {
            return Reply::Refused(format!("no service {name} is served"));
        };
        service.stopped = true;
        for listener in service.listeners.drain(..) {
            if let Err(error) = mta_ipc::listeners::close(&listener.socket) {
                self.log
                    .tell(format_args!("{name}: cannot close a listener: {error}"));
            }
        }
        for server in &mut service.servers {
            server.retire();
        }
        self.log.tell(format_args!("{name}: stopped"));
        Reply::Ok
    }

    fn restart_service(&mut self, name: &ServiceName) -> Reply {
        let Some(service) = self.services.iter_mut().find(|s| is_named(s, name)) else {
            return Reply::Refused(format!("no service {name} is served"));
        };
        if service.stopped {
            return Reply::Refused(format!(
                "service {name} is stopped; restart the dispatcher to get it back"
            ));
        }
        for server in &mut service.servers {
            server.retire();
        }
        service.not_before = None;
        self.log.tell(format_args!("{name}: restarted"));
        Reply::Ok
    }

    /// Takes the reloadable part of the configuration on disk; the rest stays as it is.
    ///
    /// # Errors
    /// Why it could not be loaded, for an operator; the old one stays in force.
    pub(crate) fn reload(&mut self) -> Result<(), String> {
        let found = Config::load(&self.root).map_err(|error| {
            let causes = with_causes(&error);
            format!("BADCONFIGLOAD, Attempt to load new configuration failed. {causes}")
        })?;
        self.config = Arc::new(self.config.reloaded(found));
        for server in self.services.iter().flat_map(|s| &s.servers) {
            server.reload();
        }
        self.log.tell(format_args!(
            "loaded image {}/{}",
            self.config.identity.fixed, self.config.identity.reloadable
        ));
        Ok(())
    }
}

/// Service names are typed by operators in any case.
fn is_named(service: &Service, name: &ServiceName) -> bool {
    service
        .options
        .name
        .as_str()
        .eq_ignore_ascii_case(name.as_str())
}

/// Whether a service that always has server processes has one that serves.
fn is_ready(service: &Service) -> bool {
    service.stopped
        || service.limits.min_procs == 0
        || service.servers.iter().any(|s| s.phase() == Phase::Serving)
}
