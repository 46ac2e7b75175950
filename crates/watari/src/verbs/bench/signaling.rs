//! `watari bench signaling`: clients in rooms of two at any signaling server.

mod report;
mod url;

use std::{io, net::SocketAddr, sync::Arc, thread, time::Duration};

use datagram_io::raise_descriptor_limit;
use lifecycle::exit;
use signaling_load::{Control, Error, Found, Plan, measure, owner};

use super::{INTERRUPTED, Outputs, Progress, Unfitting, cancel_on_signal, fitting::unfitting};
use crate::{cli::SignalingArgs, failure::Failure};

pub(crate) use url::SignalingUrl;

use report::Report;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unmeasured {
    #[error("cannot find {url}: {error}")]
    Unresolved { url: String, error: io::Error },
    #[error("nobody could join at {url}: {why}")]
    NobodyJoined { url: String, why: String },
    #[error(transparent)]
    Load(#[from] Error),
}

/// Measures, and prints what was found.
pub(crate) fn run(arguments: &SignalingArgs) -> Result<(), Failure> {
    let plan = plan(arguments)?;
    let outputs = Outputs::open(arguments.json.as_deref(), None)?;
    // A client is a descriptor, and there are some others.
    let room = raise_descriptor_limit(u64::from(plan.connections) + 128)?;
    let control = Arc::new(Control::default());
    let cancelled = Arc::clone(&control);
    cancel_on_signal(move || cancelled.cancel())?;
    let found = watch(&plan, &control)?;
    let report = Report::new(arguments, &plan, found, room.is_enough());
    let found = &report.found;
    if found.joined == 0 && !found.is_cancelled {
        let url = report.server.url.clone();
        let why = report.trouble();
        return Err(Unmeasured::NobodyJoined { url, why }.into());
    }
    outputs.publish(&report, |colours| report.words(colours), None)?;
    match (found.is_cancelled, found.failures.is_empty()) {
        (true, _) => Err(Failure::Told(INTERRUPTED)),
        (false, false) => Err(Failure::Told(exit::FAILURE)),
        (false, true) => Ok(()),
    }
}

/// Measures on another thread, while this one moves the bar.
fn watch(plan: &Plan, control: &Control) -> Result<Found, Unmeasured> {
    let progress = Progress::new(plan.rooms() as usize * 2);
    thread::scope(|scope| {
        let measuring = scope.spawn(|| measure(plan, control));
        while !measuring.is_finished() {
            let so_far = control.progress();
            progress.say(match so_far.entered < u64::from(plan.rooms()) {
                true => "clients enter their rooms",
                false => "rooms exchange signals",
            });
            progress.reach(so_far.entered + so_far.exchanged);
            thread::sleep(TICK);
        }
        match measuring.join() {
            Ok(found) => Ok(found?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn plan(arguments: &SignalingArgs) -> Result<Plan, Failure> {
    let url = &arguments.server;
    let server = url.resolve().map_err(|error| Unmeasured::Unresolved {
        url: url.to_string(),
        error,
    })?;
    let sources = sources(arguments, server)?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    Ok(Plan {
        server,
        host: url.authority(),
        path: url
            .path
            .clone()
            .unwrap_or_else(|| arguments.dialect.default_path().to_owned()),
        dialect: arguments.dialect,
        connections: arguments.connections,
        at_once: arguments.at_once,
        rate: arguments.rate,
        candidates: arguments.candidates,
        sources,
        pid: arguments.pid.or_else(|| owner::of_listener(server)),
        threads: arguments
            .threads
            .map_or(processors.div_ceil(4), |threads| threads as usize),
        settle: Duration::from_secs_f64(arguments.settle),
        patience: Duration::from_secs_f64(arguments.patience),
    })
}

/// Among how many addresses clients are dealt out.
fn sources(arguments: &SignalingArgs, server: SocketAddr) -> Result<u32, Unfitting> {
    let is_loopback = server.is_ipv4() && server.ip().is_loopback();
    match arguments.source_addresses {
        Some(asked) if asked > 0 && !is_loopback => unfitting(format!(
            "--source-addresses are those of 127.0.0.0/8, from which nothing reaches {server}: leave it out, or name the \
             server by 127.0.0.1"
        )),
        Some(asked) => Ok(asked),
        // As many as one address may have by default at our own server.
        None if is_loopback => Ok(arguments.connections.div_ceil(100)),
        None => Ok(0),
    }
}
