//! Which measurements a run is made of.

use std::thread;

use serde::{Deserialize, Serialize};
use turn_load::{Direction, Load, Metric, Pace, Plan, Subject, Traffic, Transport};

use crate::cli::{BenchArgs, LoadArgs, Scenario};

/// One row of the report: a measurement with a name.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) plan: Plan,
    pub(super) targets: Vec<Target>,
    /// More rounds would tell nothing new: memory that was used once is used again.
    pub(super) once: bool,
}

/// What the first server is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) metric: Metric,
    pub(super) limit: Limit,
}

/// At most so much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    /// As a multiple of the second server's, in the median of the rounds' ratios.
    Ratio(f64),
    /// In the metric's own unit, in the worst round.
    Value(f64),
}

impl Limit {
    fn of(self, metric: Metric) -> Target {
        Target { metric, limit: self }
    }
}

/// The scenarios that are asked for, or a short set.
pub(super) fn scenarios(load: &LoadArgs) -> &[Scenario] {
    const SHORT: [Scenario; 4] = [
        Scenario::Channel,
        Scenario::Indication,
        Scenario::RelayToRelay,
        Scenario::Setup,
    ];
    if load.scenario.is_empty() {
        &SHORT
    } else {
        &load.scenario
    }
}

/// The rows that the flags ask for.
pub(super) fn chosen(arguments: &BenchArgs) -> Vec<Row> {
    let mut rows = Vec::new();
    for &scenario in scenarios(&arguments.load) {
        if scenario == Scenario::All {
            rows.extend(whole_set(arguments));
        } else {
            rows.push(of_flags(scenario, arguments));
        }
    }
    rows
}

/// One scenario as the flags shape it.
fn of_flags(scenario: Scenario, arguments: &BenchArgs) -> Row {
    let flags = &arguments.load;
    let traffic = match scenario {
        Scenario::Indication => Traffic::Indication,
        Scenario::RelayToRelay => Traffic::RelayToRelay,
        Scenario::Channel | Scenario::Setup | Scenario::Idle | Scenario::All => Traffic::Channel,
    };
    let (subject, default) = match scenario {
        Scenario::Setup => (Subject::SetUp, 1000),
        Scenario::Idle => (Subject::Idle, 10_000),
        Scenario::Channel | Scenario::Indication | Scenario::RelayToRelay | Scenario::All => {
            let burst = flags.burst.unwrap_or(1);
            let closed = || Pace::Window(flags.window.unwrap_or(4.max(2 * burst)));
            let load = Load {
                traffic,
                direction: flags.direction.unwrap_or(Direction::Both),
                payload: flags.payload.unwrap_or(160),
                burst,
                runs: flags.runs,
                pace: flags.rate.map_or_else(closed, Pace::Rate),
            };
            (Subject::Load(load), 10)
        }
    };
    let allocations = flags.allocations.unwrap_or(default);
    let transport = flags.transport.unwrap_or(arguments.server.transport);
    let mut row = row(arguments, subject, transport, allocations);
    let cost = match subject {
        Subject::Load(_) => Some(Metric::ServerCpuNsPerDatagram),
        Subject::SetUp => Some(Metric::SetUpCpuUs),
        Subject::Idle => None,
    };
    let target = cost.zip(arguments.target_ratio);
    row.targets
        .extend(target.map(|(metric, ratio)| Limit::Ratio(ratio).of(metric)));
    row
}

/// The list of `--scenario all`, with the project's targets against coturn 4.17.1.
fn whole_set(arguments: &BenchArgs) -> Vec<Row> {
    use Limit::{Ratio, Value};
    use Metric::{
        IdleBytesPerAllocation, IdleWakeupsPerSecond, LatencyP50Us, LatencyP99Us, ServerCpuNsPerDatagram,
        SetUpCpuUs,
    };
    const CLOSED: Load = Load {
        traffic: Traffic::Channel,
        direction: Direction::Both,
        payload: 160,
        burst: 1,
        runs: false,
        pace: Pace::Window(4),
    };
    let at_rate = Load {
        pace: Pace::Rate(20_000.0),
        ..CLOSED
    };
    let between = Load {
        traffic: Traffic::RelayToRelay,
        ..CLOSED
    };
    let indications = Load {
        traffic: Traffic::Indication,
        ..CLOSED
    };
    let bursts = Load {
        payload: 1200,
        burst: 8,
        pace: Pace::Window(16),
        ..CLOSED
    };
    let runs = Load { runs: true, ..bursts };
    let factor = arguments.target_factor.unwrap_or(1.0);
    let cpu = |ratio: f64| vec![Ratio(ratio * factor).of(ServerCpuNsPerDatagram)];
    let idle = vec![
        Value(1500.0).of(IdleBytesPerAllocation),
        Value(2.0).of(IdleWakeupsPerSecond),
    ];
    let latency = vec![Ratio(1.0).of(LatencyP50Us), Ratio(1.0).of(LatencyP99Us)];
    let set = [
        // Idle first, while the servers are as they started.
        (Subject::Idle, Transport::Udp, 10_000, idle),
        (
            Subject::SetUp,
            Transport::Udp,
            1000,
            vec![Ratio(0.33).of(SetUpCpuUs), Value(45.0).of(SetUpCpuUs)],
        ),
        (Subject::Load(CLOSED), Transport::Udp, 10, cpu(0.75)),
        (Subject::Load(CLOSED), Transport::Udp, 100, cpu(0.75)),
        (Subject::Load(CLOSED), Transport::Udp, 1000, cpu(0.70)),
        (Subject::Load(bursts), Transport::Udp, 10, cpu(0.50)),
        (Subject::Load(runs), Transport::Udp, 10, cpu(0.50)),
        (Subject::Load(between), Transport::Udp, 10, cpu(0.45)),
        (Subject::Load(indications), Transport::Udp, 10, cpu(0.80)),
        (Subject::Load(CLOSED), Transport::Tcp, 10, cpu(0.80)),
        (Subject::Load(at_rate), Transport::Udp, 10, latency),
    ];
    set.into_iter()
        .map(|(subject, transport, allocations, mut targets)| {
            if matches!(subject, Subject::Load(_)) {
                targets.push(Value(0.0).of(Metric::Lost));
            }
            Row {
                targets,
                ..row(arguments, subject, transport, allocations)
            }
        })
        .collect()
}

fn row(arguments: &BenchArgs, subject: Subject, transport: Transport, allocations: u32) -> Row {
    let processors = thread::available_parallelism().map_or(1, |count| count.get() as u32);
    let plan = Plan {
        subject,
        transport,
        allocations,
        seconds: arguments.load.seconds(),
        warm_up_seconds: arguments.load.warm_up_seconds(),
        threads: arguments.load.threads.unwrap_or((processors / 4).max(1)),
    };
    let name = match &arguments.title {
        Some(title) => format!("{title}: {}", name(&plan)),
        None => name(&plan),
    };
    Row {
        name,
        plan,
        targets: Vec::new(),
        once: subject == Subject::Idle,
    }
}

/// What a plan is called.
fn name(plan: &Plan) -> String {
    let count = match plan.allocations {
        1 => "1 allocation".to_owned(),
        many => format!("{many} allocations"),
    };
    let transport = match plan.transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    };
    let load = match plan.subject {
        Subject::SetUp => return format!("Set-up, {count}, {transport}"),
        Subject::Idle => return format!("Idle, {count}, {transport}"),
        Subject::Load(load) => load,
    };
    let traffic = match load.traffic {
        Traffic::Channel => "ChannelData",
        Traffic::Indication => "Indications",
        Traffic::RelayToRelay => "Relay to relay",
    };
    let direction = match load.direction {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Both => "both ways",
    };
    let bytes = match load.burst {
        1 => format!("{} B", load.payload),
        burst if load.runs => format!("runs of {burst} × {} B", load.payload),
        burst => format!("bursts of {burst} × {} B", load.payload),
    };
    let pace = match load.pace {
        Pace::Rate(rate) => format!("{rate:.0}/s"),
        Pace::Window(window) => format!("window {window}"),
    };
    format!("{traffic} {direction}, {bytes}, {count}, {transport}, {pace}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{BenchCommand, Cli, Verb};

    /// The targets that the flags lead to, by row.
    fn targets(flags: &str) -> Vec<Vec<(Metric, Limit)>> {
        let words = ["watari", "bench", "turn:a"]
            .into_iter()
            .chain(flags.split_whitespace());
        let Some(Verb::Bench(command)) = Cli::try_parse_from(words).unwrap().verb else {
            panic!("{flags}: not the bench");
        };
        let BenchCommand::Turn(arguments) = *command else {
            panic!("{flags}: not of a TURN server");
        };
        let of_row = |row: Row| {
            row.targets
                .iter()
                .map(|target| (target.metric, target.limit))
                .collect()
        };
        chosen(&arguments).into_iter().map(of_row).collect()
    }

    #[test]
    fn the_whole_set_asks_for_set_ups_and_both_latencies_and_a_factor_is_for_datagrams_alone() {
        let half = "--against turn:b --scenario all --target-factor 0.5";
        for (flags, cost) in [("--scenario all", 0.70), (half, 0.35)] {
            let rows = targets(flags);
            let set_up = [Limit::Ratio(0.33), Limit::Value(45.0)].map(|limit| (Metric::SetUpCpuUs, limit));
            assert_eq!(rows[1], set_up, "{flags}");
            let thousand = (Metric::ServerCpuNsPerDatagram, Limit::Ratio(cost));
            assert_eq!(rows[4][0], thousand, "{flags}");
            let latencies = [Metric::LatencyP50Us, Metric::LatencyP99Us];
            assert_eq!(
                rows[10][..2],
                latencies.map(|metric| (metric, Limit::Ratio(1.0))),
                "{flags}"
            );
        }
    }
}
