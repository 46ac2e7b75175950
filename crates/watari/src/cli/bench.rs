//! The flags of `watari bench`.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use turn_load::{Direction, MIN_PAYLOAD, Transport};

use crate::verbs::bench::Url;

/// Permissions live five minutes (RFC 8656 §9), and are not renewed.
const LONGEST: f64 = 240.0;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The server: turn:HOST:PORT, turns:HOST:PORT for TLS, with ?transport=tcp for TCP, or just HOST; ports may be left out
    #[arg(value_name = "URL")]
    pub(crate) server: Url,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) against: AgainstArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// Process id of the server on this machine: its processor time, context switches and memory are measured, too
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// What reports call the server [default: its URL]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Words that reports put in front of each row's name, for instance over which network it went
    #[arg(long, value_name = "WORDS")]
    pub(crate) title: Option<String>,
    /// What the first server's CPU per datagram or allocation is to be at most, as a multiple of the second's; reports
    /// tell whether it is
    #[arg(long, value_name = "RATIO", requires = "against")]
    pub(crate) target_ratio: Option<f64>,
    /// Address of this machine that the bench's own peers take [default: the one that reaches the server]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) peer: Option<IpAddr>,
    /// How often everything is measured; with --against the servers take turns [default: 1, or 3 with --against]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Trust the authorities in this PEM file instead of this machine's, over TLS
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Option<PathBuf>,
    /// Trust any certificate, over TLS
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure: bool,
    /// Write everything as JSON to a file, or with `-` to standard output in place of the table
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots to a file; it needs nothing beside it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// Put the rows of an earlier --json file in front, so that one report tells of several runs
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) continues: Option<PathBuf>,
}

/// Who the clients are.
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// User of the server; all clients are this one
    #[arg(long, value_name = "NAME", requires = "password")]
    pub(crate) user: Option<String>,
    /// Password of the user
    #[arg(long, env = "WATARI_BENCH_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// File with the server's shared secret, `-` for standard input, or the secret in the environment as WATARI_SECRET:
    /// each client mints a user of its own, so that no quota per user is met
    #[arg(long, value_name = "FILE", conflicts_with = "user", value_hint = ValueHint::FilePath)]
    pub(crate) secret_file: Option<PathBuf>,
}

/// A second server to compare with.
#[derive(Debug, Args)]
pub(crate) struct AgainstArgs {
    /// A second server: both are measured in turns, and the ratios first / second told with their spread
    #[arg(long, value_name = "URL")]
    pub(crate) against: Option<Url>,
    /// User of the second server [default: as for the first]
    #[arg(long, value_name = "NAME", requires_all = ["against", "against_password"])]
    pub(crate) against_user: Option<String>,
    /// Password of the second server's user
    #[arg(
        long,
        requires = "against",
        env = "WATARI_BENCH_AGAINST_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) against_password: Option<String>,
    /// Process id of the second server
    #[arg(long, value_name = "PID", requires = "against")]
    pub(crate) against_pid: Option<u32>,
    /// What reports call the second server
    #[arg(long, value_name = "NAME", requires = "against")]
    pub(crate) against_name: Option<String>,
}

/// What is measured.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// What to measure; several with commas [default: channel, indication, relay-to-relay, setup]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SCENARIO")]
    pub(crate) scenario: Vec<Scenario>,
    /// By what clients reach the server [default: what the URL says]
    #[arg(long, value_parser = transport, value_name = "udp|tcp|tls")]
    pub(crate) transport: Option<Transport>,
    /// How many allocations [default: 10; setup 1000, idle 10000]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) allocations: Option<u32>,
    /// Bytes in each datagram
    #[arg(long, default_value = "160", value_name = "BYTES", value_parser = payload)]
    pub(crate) payload: usize,
    /// Which way datagrams go: up from clients to peers, down from peers to clients
    #[arg(long, default_value = "both", value_parser = direction, value_name = "up|down|both")]
    pub(crate) direction: Direction,
    /// A fixed number of datagrams per second, all flows together, whether or not they arrive: 20000 or 20000/s
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "window")]
    pub(crate) rate: Option<f64>,
    /// A closed loop: so many datagrams of each flow under way, 128 of all together
    /// [default: 4, or two bursts]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    pub(crate) window: Option<u32>,
    /// Datagrams of one flow that leave at once
    #[arg(long, default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) burst: u32,
    /// How long each round of each scenario is measured: 5, 5s, 500ms, 2m
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = duration)]
    pub(crate) duration: f64,
    /// How long the load lasts before it counts
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = duration)]
    pub(crate) warm_up: f64,
    /// Threads that make the load [default: one for each four processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: Option<u32>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// ChannelData between clients and peers
    Channel,
    /// Send and Data indications between clients and peers
    Indication,
    /// ChannelData between clients, by both their relays
    RelayToRelay,
    /// Making allocations: 401, Allocate, ChannelBind
    Setup,
    /// Allocations that do nothing: memory and wake-ups; take a server that has just been started
    Idle,
    /// A fixed list with targets for the first server against the second; only duration, rounds and threads count
    All,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  watari bench turn:192.0.2.1:3478 --user alice --password secret
  watari bench turn:127.0.0.1 --user u --password p --pid $(pidof turnserver) -n 100 --duration 5s
  watari bench turns:turn.example.org --secret-file /etc/turn.secret --rate 20000/s
  watari bench turn:127.0.0.1:3478 --pid 71 --against turn:127.0.0.1:3479 --against-pid 72 \\
      --user u --password p --rounds 5 --json out.json --html out.html

The server's CPU per datagram bears a busy machine better than datagrams per second; compare figures of one run only.
Servers refuse peers on loopback unless they are told: Watari [turn.peers] allow = [\"127.0.0.0/8\"], coturn
--allow-loopback-peers. Exit codes: 1 datagrams came damaged, 69 the server refused or is not there, 130 after Ctrl-C.";

fn transport(text: &str) -> Result<Transport, &'static str> {
    match text {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        "tls" => Ok(Transport::Tls),
        _ => Err("is none of udp, tcp and tls"),
    }
}

fn direction(text: &str) -> Result<Direction, &'static str> {
    match text {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        "both" => Ok(Direction::Both),
        _ => Err("is none of up, down and both"),
    }
}

fn payload(text: &str) -> Result<usize, String> {
    let bytes = text
        .parse()
        .ok()
        .filter(|bytes| (MIN_PAYLOAD..=65_000).contains(bytes));
    bytes.ok_or_else(|| {
        format!("is not between {MIN_PAYLOAD}, which a number, a time and a checksum take, and 65000")
    })
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    let rate = number.filter(|rate: &f64| (1.0..=10_000_000.0).contains(rate));
    rate.ok_or("is not a rate such as 20000/s")
}

fn duration(text: &str) -> Result<f64, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    let unit = units
        .iter()
        .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1.0));
    let seconds = number.parse::<f64>().ok().map(|number| number * size);
    seconds
        .filter(|seconds| (0.1..=LONGEST).contains(seconds))
        .ok_or_else(|| format!("is not a time between 100ms and {LONGEST}s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_read_with_and_without_a_unit() {
        assert_eq!(duration("5"), Ok(5.0));
        assert_eq!(duration("500ms"), Ok(0.5));
        assert_eq!(duration("2m"), Ok(120.0));
        for wrong in ["", "0", "5m", "s", "-1s", "inf", "NaN"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(rate("20000/s"), Ok(20_000.0));
        assert_eq!(rate("250"), Ok(250.0));
        for wrong in ["", "0", "/s", "20000/m", "NaN"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
