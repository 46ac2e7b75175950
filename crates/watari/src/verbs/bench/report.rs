//! What a run found, as it is written to JSON.

use std::{
    fs, thread,
    time::{SystemTime, UNIX_EPOCH},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use turn_load::{
    Figures, Metric, Plan, Round,
    rounds::{self, Spread},
};

use super::{
    rows::{Limit, Row, Target},
    servers::Contestant,
};
use crate::cli::VERSION;

/// Everything.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// The version of this program.
    pub(super) watari: String,
    /// When it began, in seconds since 1970.
    pub(super) began: u64,
    pub(super) machine: Machine,
    pub(super) servers: Vec<ServerReport>,
    pub(super) rows: Vec<RowReport>,
}

/// Where the load was made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) system: String,
}

/// What was loaded.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ServerReport {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) pid: Option<u32>,
}

/// One measurement of all servers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RowReport {
    pub(super) name: String,
    pub(super) plan: Plan,
    /// In the order of the servers.
    pub(super) servers: Vec<Measured>,
    /// The first server's figures as multiples of the second's.
    pub(super) ratios: Figures<Spread>,
    pub(super) targets: Vec<Verdict>,
    pub(super) notes: Vec<String>,
}

/// One server in one row.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) rounds: Vec<Figures>,
    pub(super) summary: Figures<Spread>,
    /// Of all rounds together: the part of datagrams, and the microseconds that they took at most.
    pub(super) latency: Vec<(f64, f64)>,
    #[serde(skip)]
    histogram: Option<Histogram<u64>>,
    #[serde(skip)]
    generator_was_limit: bool,
}

/// A target, and whether the first server reached it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Verdict {
    #[serde(flatten)]
    pub(super) target: Target,
    pub(super) found: Option<f64>,
    pub(super) met: Option<bool>,
}

impl Report {
    pub(super) fn new(servers: &[Contestant]) -> Self {
        let of = |contestant: &Contestant| ServerReport {
            name: contestant.name.clone(),
            url: contestant.url.clone(),
            pid: contestant.pid,
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            watari: VERSION.to_owned(),
            began: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            machine: Machine {
                processors: thread::available_parallelism().map_or(1, Into::into),
                system: format!("{} {}", std::env::consts::OS, kernel.trim())
                    .trim()
                    .to_owned(),
            },
            servers: servers.iter().map(of).collect(),
            rows: Vec::new(),
        }
    }

    /// Datagrams of all rounds that came with other bytes than were sent, or elsewhere.
    pub(super) fn damaged(&self) -> f64 {
        let measured = self.rows.iter().flat_map(|row| &row.servers);
        let rounds = measured.flat_map(|measured| &measured.rounds);
        rounds.filter_map(|round| round.get(&Metric::Damaged)).sum()
    }
}

impl RowReport {
    pub(super) fn new(row: &Row, servers: usize) -> Self {
        Self {
            name: row.name.clone(),
            plan: row.plan,
            servers: (0..servers).map(|_| Measured::default()).collect(),
            ratios: Figures::new(),
            targets: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn has_figures(&self) -> bool {
        self.servers.iter().any(|server| !server.rounds.is_empty())
    }

    /// Takes a round of a server.
    pub(super) fn add(&mut self, server: usize, round: Round) {
        let measured = &mut self.servers[server];
        measured.rounds.push(round.figures);
        measured.generator_was_limit |= round.generator_was_limit;
        match (&mut measured.histogram, round.latency) {
            (Some(sum), Some(latency)) => {
                // All have the same bounds, so that this cannot fail.
                let _ = sum.add(latency);
            }
            (empty, latency) => *empty = latency,
        }
    }

    /// Sums up the rounds, and judges.
    pub(super) fn conclude(&mut self, row: &Row) {
        for server in &mut self.servers {
            server.summary = rounds::summary(&server.rounds);
            server.latency = server.histogram.as_ref().map(curve).unwrap_or_default();
        }
        if let [first, second] = &self.servers[..] {
            self.ratios = rounds::ratios(&first.rounds, &second.rounds);
        }
        self.targets = row.targets.iter().map(|&target| self.judge(target)).collect();
        self.notes = self.notes();
    }

    fn judge(&self, target: Target) -> Verdict {
        let metric = target.metric;
        let (found, limit) = match target.limit {
            Limit::Ratio(limit) => (self.ratios.get(&metric).map(|spread| spread.median), limit),
            Limit::Value(limit) => (
                self.servers[0].summary.get(&metric).map(|spread| spread.max),
                limit,
            ),
        };
        Verdict {
            target,
            found,
            met: found.map(|found| found <= limit),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let which = if self.servers.len() == 1 {
                String::new()
            } else {
                format!("server {}: ", index + 1)
            };
            if server.generator_was_limit {
                notes.push(format!(
                    "{which}the generator was the limit, not the server: datagrams per second say little, CPU per \
                     datagram holds; --threads gives the generator more"
                ));
            }
            let at_most = |metric| server.summary.get(&metric).map_or(0.0, |spread| spread.max);
            if at_most(Metric::LostAtGenerator) > 0.0 {
                notes.push(format!(
                    "{which}some of the lost datagrams did reach this machine, whose receive buffers were full: raise \
                     net.core.rmem_max, or ask for less"
                ));
            }
            if at_most(Metric::Unsent) > 0.0 {
                notes.push(format!(
                    "{which}this machine refused to send some datagrams, its own queues were full"
                ));
            }
        }
        notes
    }
}

/// Points of the curve of latencies, denser towards the end.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    const PARTS: [f64; 14] = [
        0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0,
    ];
    if histogram.is_empty() {
        return Vec::new();
    }
    let point = |part| (part, histogram.value_at_quantile(part) as f64 / 1e3);
    PARTS.into_iter().map(point).collect()
}
