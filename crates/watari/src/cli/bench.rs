//! The flags of `watari bench`.

mod signaling;

use std::{net::IpAddr, path::PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum, ValueHint};
use turn_load::{Direction, MIN_PAYLOAD, Transport};

use crate::verbs::bench::Url;

pub(crate) use signaling::SignalingArgs;

/// How long one measurement may take, in seconds: permissions live five minutes (RFC 8656 §9), and are not renewed.
pub(crate) const LONGEST: f64 = 240.0;

/// What is loaded: a TURN server, unless a word says otherwise.
#[derive(Debug)]
pub(crate) enum BenchCommand {
    Turn(Box<BenchArgs>),
    Other(OtherServer),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OtherServer {
    /// Load a signaling server, ours or another, with clients in rooms of two
    #[command(after_help = signaling::EXAMPLES)]
    Signaling(SignalingArgs),
}

// By hand, as clap's derive cannot tell whether flattened flags that are required were given.
impl Args for BenchCommand {
    fn augment_args(command: Command) -> Command {
        OtherServer::augment_subcommands(BenchArgs::augment_args(command))
            .subcommand_required(false)
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for BenchCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => OtherServer::from_arg_matches(matches).map(Self::Other),
            None => BenchArgs::from_arg_matches(matches).map(|arguments| Self::Turn(Box::new(arguments))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

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
    /// tell whether the median of the rounds' ratios is. It takes --pid and --against-pid
    #[arg(long, value_name = "RATIO", requires_all = ["against", "pid", "against_pid"], value_parser = factor)]
    pub(crate) target_ratio: Option<f64>,
    /// What the ratios that --scenario all asks for CPU per datagram are multiplied by. They are for coturn 4.17.1;
    /// coturn 4.6.1 costs 1.25 times as much, so that 0.8 asks the same against that one [default: 1]
    #[arg(long, value_name = "FACTOR", requires = "against", value_parser = factor)]
    pub(crate) target_factor: Option<f64>,
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
    /// User of the server; all clients are this one. The password is given by --password-file, in the environment as
    /// WATARI_BENCH_PASSWORD, or by --password
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Password of the user; other users of this machine can read it in the list of processes
    #[arg(long, requires = "user", conflicts_with = "password_file")]
    pub(crate) password: Option<String>,
    /// File with the password of the user, `-` for standard input
    #[arg(long, value_name = "FILE", requires = "user", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,
    /// File with the server's shared secret, `-` for standard input, or the secret in the environment as WATARI_SECRET:
    /// each client mints a user of its own, so that no quota per user is met
    #[arg(long, value_name = "FILE", conflicts_with = "user", value_hint = ValueHint::FilePath)]
    pub(crate) secret_file: Option<PathBuf>,
}

/// A second server to compare with.
#[derive(Debug, Args)]
pub(crate) struct AgainstArgs {
    /// A second server: both are measured in turns. In each round the first one's figures are divided by the second's;
    /// the ratio told is the median of these quotients, in brackets the least and the greatest. It need not be the
    /// quotient of the medians beside it
    #[arg(long, value_name = "URL")]
    pub(crate) against: Option<Url>,
    /// User of the second server; the password as for --user, in the environment as WATARI_BENCH_AGAINST_PASSWORD
    /// [default: the first server's account]
    #[arg(long, value_name = "NAME", requires = "against")]
    pub(crate) against_user: Option<String>,
    /// Password of the second server's user; other users of this machine can read it
    #[arg(
        long,
        value_name = "PASSWORD",
        requires = "against_user",
        conflicts_with = "against_password_file"
    )]
    pub(crate) against_password: Option<String>,
    /// File with the password of the second server's user, `-` for standard input
    #[arg(long, value_name = "FILE", requires = "against_user", value_hint = ValueHint::FilePath)]
    pub(crate) against_password_file: Option<PathBuf>,
    /// Process id of the second server
    #[arg(long, value_name = "PID", requires = "against")]
    pub(crate) against_pid: Option<u32>,
    /// What reports call the second server [default: its URL]
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
    /// Bytes in each datagram [default: 160]
    #[arg(long, value_name = "BYTES", value_parser = payload)]
    pub(crate) payload: Option<usize>,
    /// Which way datagrams go: up from clients to peers, down from peers to clients [default: both]
    #[arg(long, value_parser = direction, value_name = "up|down|both")]
    pub(crate) direction: Option<Direction>,
    /// A fixed number of datagrams per second, all flows together, whether or not they arrive: 20000 or 20000/s. Latency
    /// counts from the moment at which a datagram was due, even if it left later
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "window")]
    pub(crate) rate: Option<f64>,
    /// A closed loop: so many datagrams of each flow under way, at most 128 of all together; one that has not arrived
    /// after half a second makes way for another [default: 4, or two bursts]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128))]
    pub(crate) window: Option<u32>,
    /// Datagrams of one flow that leave at once [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) burst: Option<u32>,
    /// Send each burst in one piece (UDP_SEGMENT), as applications with video may; without it every datagram is a message of
    /// its own
    #[arg(long, requires = "burst")]
    pub(crate) runs: bool,
    /// How long each round of each scenario is measured: 5, 5s, 500ms, 2m; with --warm-up at most four minutes
    /// [default: 3s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<f64>,
    /// How long the load lasts, or clients are idle, before it counts [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) warm_up: Option<f64>,
    /// Threads that make the load [default: one for each four processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: Option<u32>,
}

impl LoadArgs {
    /// Seconds that are measured.
    pub(crate) fn seconds(&self) -> f64 {
        self.duration.unwrap_or(3.0)
    }

    /// Seconds before that.
    pub(crate) fn warm_up_seconds(&self) -> f64 {
        self.warm_up.unwrap_or(1.0)
    }
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
    /// A fixed list by UDP and TCP, with targets for the first server against the second; options that shape a load are
    /// not for it
    All,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  watari bench turn:192.0.2.1:3478 --user alice --password-file alice.password
  watari bench turn:127.0.0.1 --user u --password p --pid \"$(pidof turnserver)\" -n 100 --duration 5s
  watari bench turns:turn.example.org --secret-file /etc/turn.secret --rate 20000/s
  watari bench turn:127.0.0.1:3478 --pid 71 --against turn:127.0.0.1:3479 --against-pid 72 \\
      --user u --password p --rounds 5 --json out.json --html out.html
  watari bench signaling --help                                            signaling servers

The server's CPU per datagram bears a busy machine better than datagrams per second; compare figures of one run only.
Figures are medians over the rounds, in brackets the least and the greatest. A target for a ratio is met by the median
of the rounds' ratios, a target for a figure by the worst round.
Servers refuse peers on loopback unless they are told: Watari [turn.peers] allow = [\"127.0.0.0/8\"], coturn
--allow-loopback-peers. Exit codes: 1 datagrams came damaged or a report cannot be written, 64 wrong flags, 69 the server
refused or is not there, 78 a file with a secret or an earlier report cannot be read, 130 ended early by SIGINT or
SIGTERM: what was measured until then is told, and the allocations are given back; a second signal ends it at once.";

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

fn factor(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok();
    let factor = number.filter(|factor: &f64| *factor > 0.0 && factor.is_finite());
    factor.ok_or("is not a number above 0, such as 0.8")
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
