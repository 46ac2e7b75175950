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

/// Shown only where there was some.
const OF_TROUBLE: [Metric; 5] = [
    Metric::LostAtGenerator,
    Metric::Unsent,
    Metric::Reordered,
    Metric::Duplicated,
    Metric::Damaged,
];

/// Left to the JSON.
const LEFT_OUT: [Metric; 3] = [
    Metric::MegabitsPerSecond,
    Metric::LatencyP90Us,
    Metric::LatencyP999Us,
];

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
    /// The first server's figures as multiples of the second's in the same round.
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
    #[serde(skip)]
    fell_short: bool,
}

/// A target, and whether the first server reached it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Verdict {
    #[serde(flatten)]
    pub(super) target: Target,
    pub(super) found: Option<f64>,
    pub(super) met: Option<bool>,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let system = format!("{} {}", std::env::consts::OS, kernel.trim());
        Self {
            processors: thread::available_parallelism().map_or(1, Into::into),
            system: system.trim().to_owned(),
        }
    }
}

impl Report {
    pub(super) fn new(servers: &[Contestant]) -> Self {
        let of = |contestant: &Contestant| ServerReport {
            name: contestant.name.clone(),
            url: contestant.url.clone(),
            pid: contestant.pid,
        };
        Self {
            watari: VERSION.to_owned(),
            began: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            machine: Machine::this(),
            servers: servers.iter().map(of).collect(),
            rows: Vec::new(),
        }
    }

    /// What the servers are called.
    pub(super) fn names(&self) -> Vec<&str> {
        self.servers.iter().map(|server| server.name.as_str()).collect()
    }

    /// Puts the rows of an earlier report of the same servers in front.
    pub(super) fn put_before(&mut self, earlier: Self) {
        self.began = earlier.began;
        self.rows.splice(..0, earlier.rows);
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

    /// Figures to show, in order: those that some server has, and counts of trouble only where there was trouble.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let summaries = || self.servers.iter().map(|server| &server.summary);
        let mut metrics: Vec<Metric> = summaries().flat_map(|summary| summary.keys().copied()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        let has_some = |metric: &Metric| {
            summaries().any(|summary| summary.get(metric).is_some_and(|spread| spread.max > 0.0))
        };
        metrics.retain(|metric| {
            !LEFT_OUT.contains(metric) && (!OF_TROUBLE.contains(metric) || has_some(metric))
        });
        metrics
    }

    /// Takes a round of a server.
    pub(super) fn add(&mut self, server: usize, round: Round) {
        let measured = &mut self.servers[server];
        measured.rounds.push(round.figures);
        measured.generator_was_limit |= round.generator_was_limit;
        measured.fell_short |= round.fell_short;
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
            if server.fell_short {
                notes.push(format!(
                    "{which}fewer datagrams left than the rate asks for: --threads gives the generator more, or ask for less"
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

#[cfg(test)]
pub(super) mod tests {
    use turn_load::{Subject, Transport};

    use super::*;

    const CPU: Metric = Metric::ServerCpuNsPerDatagram;

    fn round(figures: &[(Metric, f64)]) -> Round {
        let mut latency = Histogram::new(3).unwrap();
        latency.record(5000).unwrap();
        Round {
            figures: figures.iter().copied().collect(),
            latency: Some(latency),
            generator_was_limit: false,
            fell_short: false,
        }
    }

    /// Two servers in two rounds: the first one costs half, and loses a datagram once.
    pub(in super::super) fn row() -> RowReport {
        let target = |metric, limit| Target { metric, limit };
        let row = Row {
            name: "a <row>".to_owned(),
            plan: Plan {
                subject: Subject::Idle,
                transport: Transport::Udp,
                allocations: 1,
                seconds: 1.0,
                warm_up_seconds: 1.0,
                threads: 1,
            },
            targets: vec![
                target(CPU, Limit::Ratio(0.5)),
                target(CPU, Limit::Ratio(0.4)),
                target(Metric::Lost, Limit::Value(0.0)),
                target(Metric::SetUpCpuUs, Limit::Value(1.0)),
            ],
            once: false,
        };
        let mut told = RowReport::new(&row, 2);
        told.add(0, round(&[(CPU, 1000.0), (Metric::Lost, 0.0)]));
        told.add(1, round(&[(CPU, 2000.0), (Metric::Lost, 0.0)]));
        told.add(1, round(&[(CPU, 4000.0), (Metric::Lost, 0.0)]));
        told.add(0, round(&[(CPU, 2000.0), (Metric::Lost, 1.0)]));
        told.conclude(&row);
        told
    }

    #[test]
    fn targets_are_judged_by_the_median_ratio_or_the_worst_round() {
        let verdicts: Vec<_> = row().targets.iter().map(|one| (one.found, one.met)).collect();
        let expected = [
            (Some(0.5), Some(true)),
            (Some(0.5), Some(false)),
            (Some(1.0), Some(false)),
            (None, None),
        ];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn a_row_survives_its_json() {
        let text = serde_json::to_string(&row()).unwrap();
        assert!(
            text.contains(r#""server_cpu_ns_per_datagram":{"median":1500.0"#),
            "{text}"
        );
        let again: RowReport = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn counts_of_trouble_are_shown_where_there_is_some() {
        assert_eq!(row().metrics(), [CPU, Metric::Lost]);
    }
}
