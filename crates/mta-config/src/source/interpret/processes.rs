//! Services, pools, channel classes and tasks of a Unified Configuration.

use super::Findings;
use super::sheet::{Group, Item, Sheet};
use crate::config::Restricted;
use crate::fault::{FaultKind, WarningKind};
use crate::pool::{
    ChannelClass, DEFAULT_POOL, JobControllerOptions, Pool, PriorityWindows, Stress,
};
use crate::service::{DispatcherOptions, Service};
use crate::source::Form;
use crate::source::fields::{self, Field};
use crate::task::{Task, split_crontab};
use crate::value::{Kind, Value};
use crate::window::{SynchTime, Windows};
use mta_envelope::names::{PoolName, ServiceName};
use std::collections::HashMap;
use std::net::IpAddr;

/// Settings of a group by name, read by their rows; what is not there comes from the group
/// above, then from the row's default.
struct Values<'a> {
    own: HashMap<&'static str, Value>,
    above: Option<&'a Self>,
    fields: &'static [Field],
}

impl<'a> Values<'a> {
    fn read(
        items: &[Item],
        fields: &'static [Field],
        above: Option<&'a Self>,
        findings: &mut Findings<'_>,
    ) -> Self {
        let mut own = HashMap::new();
        for item in items {
            let Some(field) = fields.iter().find(|field| field.name == item.name) else {
                continue;
            };
            // A window that cannot be read counts as always: mail must not wait for a typing
            // error that msconfig would have refused.
            let windows = field.kind == Kind::Windows;
            if windows && field.kind.read(&item.text()).is_err() {
                findings.warn(WarningKind::BadWindow, &item.text(), Some(item));
            } else if let Some(value) = findings.value(item, field.kind, FaultKind::BadValue) {
                own.insert(field.name, value);
            }
        }
        Self { own, above, fields }
    }

    fn set(&self, name: &str) -> Option<&Value> {
        let above = || self.above.and_then(|above| above.set(name));
        self.own.get(name).or_else(above)
    }

    fn default(&self, name: &str) -> &'static str {
        let field = self.fields.iter().find(|field| field.name == name);
        field.map_or("", |field| field.default)
    }

    fn maybe_number(&self, name: &str) -> Option<i64> {
        match self.set(name) {
            Some(Value::Integer(number)) => Some(*number),
            _ => self.default(name).parse().ok(),
        }
    }

    fn number<T: TryFrom<i64> + Default>(&self, name: &str) -> T {
        let number = self.maybe_number(name).unwrap_or(0);
        T::try_from(number).unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.maybe_number(name).unwrap_or(0) != 0
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.set(name) {
            Some(Value::Text(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        match self.set(name) {
            Some(Value::List(words)) => words.clone(),
            _ => Vec::new(),
        }
    }

    fn ports(&self, name: &str) -> Vec<u16> {
        match self.set(name) {
            Some(Value::Numbers(ports)) => ports
                .iter()
                .filter_map(|port| u16::try_from(*port).ok())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn windows(&self) -> PriorityWindows {
        let windows = |name| {
            let Some(Value::Text(text)) = self.own.get(name) else {
                return None;
            };
            Windows::parse(text)
        };
        PriorityWindows {
            urgent: windows("urgent_delivery"),
            normal: windows("normal_delivery"),
            nonurgent: windows("nonurgent_delivery"),
        }
    }
}

/// Reads the Dispatcher's options and services.
pub(super) fn dispatcher(
    sheet: &Sheet,
    restricted: &Restricted,
    findings: &mut Findings<'_>,
) -> DispatcherOptions {
    let base = Values::read(&sheet.base, fields::BASE, None, findings);
    let general = Values::read(&sheet.dispatcher, fields::DISPATCHER, None, findings);
    let shared = Values::read(&sheet.dispatcher, fields::SERVICE, None, findings);
    let mut services: Vec<Service> = Vec::new();
    for group in &sheet.services {
        let values = Values::read(&group.items, fields::SERVICE, Some(&shared), findings);
        let Ok(name) = ServiceName::new(&group.id) else {
            findings.fault(FaultKind::BadName, &group.id, group.anywhere());
            continue;
        };
        if values
            .text("user")
            .is_some_and(|user| user != restricted.user)
        {
            findings.fault(FaultKind::BadValue, "user", group.item("user"));
        }
        if let Some(service) = service(name, &values, &base, group, findings) {
            services.push(service);
        }
    }
    DispatcherOptions {
        debug: general.number("debug"),
        historical_time: general.number("historical_time"),
        services,
    }
}

fn service(
    name: ServiceName,
    values: &Values<'_>,
    base: &Values<'_>,
    group: &Group,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    let image = values
        .text("image")
        .or_else(|| (name.as_str() == "SMTP").then(|| "IMTA_BIN:tcp_smtp_server".to_owned()));
    let Some(image) = image else {
        findings.fault(
            FaultKind::BadValue,
            &format!("{name}: no image"),
            group.anywhere(),
        );
        return None;
    };
    let mut ssl_ports = values.ports("ssl_ports");
    ssl_ports.extend(values.ports("tls_ports"));
    let (max_procs, max_conns) = (values.number("max_procs"), values.number("max_conns"));
    let backlog = u32::checked_mul(max_procs, max_conns)
        .unwrap_or(u32::MAX)
        .max(5);
    let address = values
        .text("interface_address")
        .or_else(|| base.text("listenaddr"));
    Some(Service {
        name,
        enable: values.flag("enable"),
        tcp_ports: values.ports("tcp_ports"),
        ssl_ports,
        interface_address: address.and_then(|text| interface(&text)),
        image,
        logfilename: values.text("logfilename"),
        parameter: values.text("parameter"),
        min_procs: values.number("min_procs"),
        max_procs,
        min_conns: values.number("min_conns"),
        max_conns,
        max_life_time: values.number("max_life_time"),
        max_life_conns: values.number("max_life_conns"),
        max_idle_time: values.number("max_idle_time"),
        max_shutdown: values.number("max_shutdown"),
        max_handoffs: values.number("max_handoffs"),
        backlog: values
            .maybe_number("backlog")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(backlog),
        ident: values.flag("ident"),
        dns_verify_domain: values.list("dns_verify_domain"),
        stacksize: values
            .maybe_number("stacksize")
            .and_then(|n| u64::try_from(n).ok()),
        debug: values.number("debug"),
    })
}

/// The address that a word means; nothing for all of them.
fn interface(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("LOCALHOST") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    text.parse().ok()
}

/// Reads the Job Controller's options, pools and classes.
pub(super) fn job_controller(
    sheet: &Sheet,
    form: Form,
    findings: &mut Findings<'_>,
) -> JobControllerOptions {
    let values = Values::read(
        &sheet.job_controller,
        fields::JOB_CONTROLLER,
        None,
        findings,
    );
    let mut pools = Vec::new();
    for group in &sheet.pools {
        let own = Values::read(&group.items, fields::POOL, None, findings);
        match PoolName::new(&group.id) {
            Ok(name) => pools.push(Pool {
                name,
                job_limit: own.number("job_limit"),
                windows: own.windows(),
            }),
            Err(_) => findings.fault(FaultKind::BadName, &group.id, group.anywhere()),
        }
    }
    let classes = sheet
        .classes
        .iter()
        .map(|group| class(group, findings))
        .collect();
    let synch_time = values
        .text("synch_time")
        .and_then(|text| SynchTime::parse(&text));
    let parallel = ["rebuild_parallel_channel", "rebuild_parallel_channels"];
    let parallel = parallel.into_iter().find(|name| values.set(name).is_some());
    JobControllerOptions {
        debug: values.number("debug"),
        max_cache_messages: values.number("max_cache_messages"),
        synch_time: synch_time.unwrap_or(SynchTime::DEFAULT),
        rebuild_parallel_channel: values.number(parallel.unwrap_or("rebuild_parallel_channel")),
        stress: Stress {
            blackout: values.number("stressblackout"),
            factor: values.number("stressfactor"),
            jobs: values.number("stressjobs"),
            time: values.number("stresstime"),
            unfactor: values.number("unstressfactor"),
            unjobs: values.number("unstressjobs"),
            untime: values.number("unstresstime"),
        },
        windows: values.windows(),
        default_pool: pools
            .first()
            .filter(|_| form == Form::Legacy)
            .map_or(DEFAULT_POOL, |pool: &Pool| pool.name.as_str())
            .to_owned(),
        first_class_counts: form == Form::Legacy,
        pools,
        classes,
    }
}

fn class(group: &Group, findings: &mut Findings<'_>) -> ChannelClass {
    let own = Values::read(&group.items, fields::CLASS, None, findings);
    let command = |name| {
        own.text(name)
            .filter(|text| !text.eq_ignore_ascii_case("NULL"))
    };
    ChannelClass {
        pattern: group.id.clone(),
        master_command: command("master_command"),
        slave_command: command("slave_command"),
        max_life_time: own.number("max_life_time"),
        max_life_askwork: own.number("max_life_askwork"),
        anon_host: own
            .maybe_number("anon_host")
            .map_or(!group.id.starts_with("tcp_"), |number| number != 0),
        windows: own.windows(),
    }
}

/// Reads the periodic tasks; when the scheduler is not enabled none of them is.
pub(super) fn tasks(sheet: &Sheet, findings: &mut Findings<'_>) -> Vec<Task> {
    let mut tasks = Vec::new();
    let schedule = Values::read(&sheet.schedule, fields::SCHEDULE, None, findings);
    for group in &sheet.tasks {
        let own = Values::read(&group.items, fields::TASK, None, findings);
        let crontab = own.text("crontab").as_deref().and_then(split_crontab);
        if let Some((crontab, command)) = crontab {
            tasks.push(Task {
                name: group.id.clone(),
                crontab,
                command,
                enabled: own.flag("enable") && schedule.flag("enable"),
            });
        }
    }
    tasks
}
