//! Whether the flags go together: what one of them would have no effect on is refused, so that nobody believes it had.

use clap::ValueEnum;
use turn_load::Transport;

use super::rows;
use crate::cli::{BenchArgs, LONGEST, Scenario};

/// Why flags do not go together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfitting(String);

/// Those that relay datagrams.
const LOADS: &[Scenario] = &[Scenario::Channel, Scenario::Indication, Scenario::RelayToRelay];

/// Checks the flags against each other.
pub(super) fn check(arguments: &BenchArgs) -> Result<(), Unfitting> {
    shapes(arguments)?;
    window(arguments)?;
    length(arguments)?;
    transports(arguments)?;
    if arguments.json.is_some() && arguments.json == arguments.html {
        return unfitting("--json and --html name the same file");
    }
    Ok(())
}

pub(super) fn unfitting<T>(why: impl Into<String>) -> Result<T, Unfitting> {
    Err(Unfitting(why.into()))
}

/// Flags that no scenario among those asked for looks at.
fn shapes(arguments: &BenchArgs) -> Result<(), Unfitting> {
    use Scenario::{All, Channel, Idle, Indication, RelayToRelay, Setup};
    const SINGLE: &[Scenario] = &[Channel, Indication, RelayToRelay, Setup, Idle];
    const TIMED: &[Scenario] = &[Channel, Indication, RelayToRelay, Idle, All];
    const WITH_COST: &[Scenario] = &[Channel, Indication, RelayToRelay, Setup];
    const IN_ROUNDS: &[Scenario] = &[Channel, Indication, RelayToRelay, Setup, All];
    let load = &arguments.load;
    let flags = [
        ("--payload", load.payload.is_some(), LOADS),
        ("--direction", load.direction.is_some(), LOADS),
        ("--rate", load.rate.is_some(), LOADS),
        ("--window", load.window.is_some(), LOADS),
        ("--burst", load.burst.is_some(), LOADS),
        ("--allocations", load.allocations.is_some(), SINGLE),
        ("--transport", load.transport.is_some(), SINGLE),
        ("--duration", load.duration.is_some(), TIMED),
        ("--warm-up", load.warm_up.is_some(), TIMED),
        ("--target-ratio", arguments.target_ratio.is_some(), WITH_COST),
        ("--target-factor", arguments.target_factor.is_some(), &[All]),
        (
            "--rounds",
            arguments.rounds.is_some_and(|rounds| rounds > 1),
            IN_ROUNDS,
        ),
    ];
    let asked = rows::scenarios(load);
    for (flag, is_given, users) in flags {
        if is_given && !asked.iter().any(|scenario| users.contains(scenario)) {
            return unfitting(format!(
                "{flag} has no effect on --scenario {}: it is for {}",
                names(asked, ","),
                names(users, ", ")
            ));
        }
    }
    Ok(())
}

fn names(scenarios: &[Scenario], between: &str) -> String {
    let names = scenarios.iter().filter_map(Scenario::to_possible_value);
    let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
    names.join(between)
}

fn window(arguments: &BenchArgs) -> Result<(), Unfitting> {
    let burst = arguments.load.burst.unwrap_or(1);
    if arguments.load.runs && burst < 2 {
        return unfitting("--runs has no effect on --burst 1: a run is two datagrams at least");
    }
    match arguments.load.window {
        Some(window) if !window.is_multiple_of(burst) => unfitting(format!(
            "--window {window} is no multiple of --burst {burst}: only whole bursts leave"
        )),
        _ => Ok(()),
    }
}

fn length(arguments: &BenchArgs) -> Result<(), Unfitting> {
    let (warm_up, measured) = (arguments.load.warm_up_seconds(), arguments.load.seconds());
    if warm_up + measured > LONGEST {
        return unfitting(format!(
            "--warm-up and --duration are {} s together, and {LONGEST} s are the most: permissions, and the nonces of many \
             servers, end after 300 s and are not renewed; let --rounds repeat shorter ones",
            warm_up + measured
        ));
    }
    Ok(())
}

fn transports(arguments: &BenchArgs) -> Result<(), Unfitting> {
    let urls = [Some(&arguments.server), arguments.against.against.as_ref()];
    let mut urls = urls.into_iter().flatten();
    let is_fixed = rows::scenarios(&arguments.load) == [Scenario::All];
    if is_fixed && let Some(url) = urls.clone().find(|url| url.transport != Transport::Udp) {
        return unfitting(format!(
            "{url} names a transport, and the rows of --scenario all come by UDP and TCP: name the server as turn:HOST:PORT"
        ));
    }
    let is_tls = |transport| transport == Transport::Tls;
    let has_tls = match arguments.load.transport {
        Some(transport) => is_tls(transport),
        None => urls.any(|url| is_tls(url.transport)),
    };
    let flags = [
        ("--ca", arguments.ca.is_some()),
        ("--insecure", arguments.insecure),
    ];
    match flags.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) if !has_tls => unfitting(format!(
            "{flag} has no effect without TLS: name the server as turns:HOST:PORT, or give --transport tls"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{BenchCommand, Cli, Verb};

    fn checked(flags: &str) -> Result<(), String> {
        let words = ["watari", "bench"].into_iter().chain(flags.split_whitespace());
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{flags}: {error}"));
        let Some(Verb::Bench(command)) = cli.verb else {
            panic!("{flags}: not the bench");
        };
        let BenchCommand::Turn(arguments) = *command else {
            panic!("{flags}: not of a TURN server");
        };
        check(&arguments).map_err(|why| why.to_string())
    }

    #[test]
    fn flags_that_go_together_are_taken() {
        for flags in [
            "turn:a",
            "turn:a --payload 1200 --burst 8 --window 16 --duration 5s --rounds 3",
            "turn:a --scenario setup -n 50 --rounds 3",
            "turn:a --scenario idle -n 50 --duration 5s --rounds 1",
            "turn:a --scenario all,channel --payload 1200",
            "turn:a --against turn:b --scenario all --target-factor 0.8 --duration 5s",
            "turn:a --warm-up 40s --duration 200s",
            "turns:a --ca ca.pem",
            "turn:a --transport tls --insecure",
            "turn:a --against turns:b --insecure",
        ] {
            assert_eq!(checked(flags), Ok(()), "{flags}");
        }
    }

    #[test]
    fn a_flag_without_effect_is_refused_by_its_name() {
        for (flags, word) in [
            ("turn:a --scenario setup --payload 1200", "--payload"),
            (
                "turn:a --scenario setup,idle --rate 100/s",
                "--rate has no effect on --scenario setup,idle",
            ),
            ("turn:a --scenario setup --duration 5s", "--duration"),
            ("turn:a --scenario all --allocations 5", "--allocations"),
            ("turn:a --scenario all --transport tcp", "--transport"),
            ("turn:a --scenario idle --rounds 3", "--rounds"),
            ("turn:a --against turn:b --target-factor 0.8", "--target-factor"),
            (
                "turn:a --pid 1 --against turn:b --against-pid 2 --scenario all --target-ratio 0.5",
                "--target-ratio",
            ),
            ("turn:a --ca ca.pem", "--ca"),
            ("turns:a --transport tcp --insecure", "--insecure"),
            ("turns:a --scenario all", "turns:a"),
            ("turn:a --json out --html out", "same file"),
        ] {
            let refused = checked(flags);
            assert!(
                refused.as_ref().is_err_and(|why| why.contains(word)),
                "{flags}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_window_holds_whole_bursts_and_a_measurement_ends_before_permissions_do() {
        for (flags, word) in [
            ("turn:a --burst 1 --runs", "--runs has no effect"),
            (
                "turn:a --burst 8 --window 4",
                "--window 4 is no multiple of --burst 8",
            ),
            ("turn:a --burst 8 --window 12", "whole bursts"),
            ("turn:a --warm-up 41s --duration 200s", "241 s together"),
            ("turn:a --duration 240s", "241 s together"),
        ] {
            let refused = checked(flags);
            assert!(
                refused.as_ref().is_err_and(|why| why.contains(word)),
                "{flags}: {refused:?}"
            );
        }
    }
}
