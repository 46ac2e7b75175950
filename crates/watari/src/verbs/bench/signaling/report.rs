//! What a run found, as it is written to JSON and as a table.

use std::fmt::Write;

use serde::Serialize;
use signaling_load::{Dialect, Found, Plan, owner};

use crate::{
    cli::{SignalingArgs, VERSION},
    say::Colours,
    verbs::bench::{report::Machine, table::number},
};

/// The width of the names of figures, and of the column of them.
const NAME: usize = 44;
const COLUMN: usize = 12;

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The version of this program.
    watari: String,
    machine: Machine,
    pub(super) server: Loaded,
    plan: Work,
    pub(super) found: Found,
    pub(super) notes: Vec<String>,
}

/// What was loaded.
#[derive(Debug, Serialize)]
pub(super) struct Loaded {
    name: String,
    pub(super) url: String,
    dialect: Dialect,
    pid: Option<u32>,
    /// What a process that was found by its port is called.
    process: Option<String>,
}

/// What was asked of it.
#[derive(Debug, Serialize)]
struct Work {
    connections: u32,
    at_once: u32,
    rooms_per_second: f64,
    candidates: u32,
    source_addresses: u32,
    threads: usize,
}

impl Report {
    pub(super) fn new(arguments: &SignalingArgs, plan: &Plan, found: Found, has_descriptors: bool) -> Self {
        let url = format!("ws://{}{}", plan.host, plan.path);
        let mut notes = notes(plan, &found);
        let guessed = plan.pid.filter(|_| arguments.pid.is_none());
        let process = guessed.and_then(owner::name_of);
        if let (Some(pid), Some(name)) = (guessed, &process) {
            notes.push(format!(
                "processor time and memory are of process {pid} ({name}), which listens there; --pid names another"
            ));
        }
        if !has_descriptors {
            notes.insert(
                0,
                "this machine lets the bench open fewer descriptors than it needs: raise `ulimit -n`"
                    .to_owned(),
            );
        }
        Self {
            watari: VERSION.to_owned(),
            machine: Machine::this(),
            server: Loaded {
                name: arguments.name.clone().unwrap_or_else(|| url.clone()),
                url,
                dialect: plan.dialect,
                pid: plan.pid,
                process,
            },
            plan: Work {
                connections: plan.connections,
                at_once: plan.at_once,
                rooms_per_second: plan.rate,
                candidates: plan.candidates,
                source_addresses: plan.sources,
                threads: plan.threads,
            },
            found,
            notes,
        }
    }

    /// What went wrong, in words.
    pub(super) fn trouble(&self) -> String {
        let failures = self.found.failures.iter();
        let counts: Vec<_> = failures
            .map(|(word, count)| format!("{word} ({count} ×)"))
            .collect();
        let mut text = counts.join(", ");
        for note in &self.notes {
            let _ = write!(text, ".\n{note}");
        }
        text
    }

    /// The report as text.
    pub(super) fn words(&self, colours: Colours) -> String {
        let Colours {
            strong, faint, plain, ..
        } = colours;
        let mut text = format!("{strong}{}, {}{plain}\n", self.server.name, self.server.dialect);
        for (label, value) in self.figures() {
            let value = value.map_or("–".to_owned(), number);
            let _ = writeln!(text, "  {label:NAME$}{value:>COLUMN$}");
        }
        for (word, count) in &self.found.failures {
            let _ = writeln!(
                text,
                "  {:NAME$}{count:>COLUMN$}",
                format!("rooms that failed: {word}")
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {faint}{note}{plain}");
        }
        text
    }

    fn figures(&self) -> Vec<(&'static str, Option<f64>)> {
        let found = &self.found;
        let delivery = found.delivery;
        let memory = found.memory;
        let mut figures = vec![
            ("clients that joined", Some(found.joined as f64)),
            ("joins a second", Some(found.joins_per_second)),
            ("server CPU for a join, µs", found.cpu_us_per_join),
            ("signals delivered", Some(found.delivered as f64)),
            ("server CPU for a signal, µs", found.cpu_us_per_signal),
            ("delivery p50, µs", delivery.map(|delivery| delivery.p50_us)),
            ("delivery p99, µs", delivery.map(|delivery| delivery.p99_us)),
            ("delivery at most, µs", delivery.map(|delivery| delivery.max_us)),
            (
                "memory of a connection, bytes",
                memory.map(|memory| memory.joined),
            ),
            (
                "the same after signals, bytes",
                memory.and_then(|memory| memory.exchanged),
            ),
        ];
        let lost = found.sent.saturating_sub(found.delivered);
        if lost > 0 {
            figures.push(("signals lost", Some(lost as f64)));
        }
        figures
    }
}

/// What to do about failures that a setting brings about.
fn notes(plan: &Plan, found: &Found) -> Vec<String> {
    let has = |word: &str| found.failures.contains_key(word);
    let remedies = [
        (
            has("http_429"),
            "http_429: the server bounds connections of one address, or how fast they come: raise \
             signaling.limits.connections_per_address and arrivals_per_second while you measure, wait between runs, or \
             spread clients with --source-addresses",
        ),
        (
            has("http_503"),
            "http_503: the server has as many connections as it takes: raise signaling.limits.connections",
        ),
        (has("server_full"), "server_full: raise signaling.rooms.max"),
        (
            has("ERROR"),
            "ERROR: peerjs-server may have as many clients as it takes: raise its --concurrent_limit",
        ),
        (
            has("http_404") || has("http_400"),
            "http_400, http_404: is the path that of the server's WebSockets, and --dialect what it speaks?",
        ),
        (
            has("refused"),
            "refused: nobody listens there, or its queue of new connections is full: try a smaller --at-once",
        ),
        (
            has("no_descriptors"),
            "no_descriptors: raise `ulimit -n` of the bench",
        ),
        (
            has("no_ports"),
            "no_ports: this address has no port left: spread clients with --source-addresses",
        ),
        (
            plan.pid.is_none(),
            "the server's process is not known, so neither are its memory and processor time: give --pid",
        ),
    ];
    let notes = remedies.into_iter().filter(|(applies, _)| *applies);
    notes.map(|(_, remedy)| remedy.to_owned()).collect()
}
