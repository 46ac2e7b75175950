//! `watari nat`: how the NAT in front of this machine maps, filters and hairpins (RFC 5780 §4).

mod advice;
mod binding;
mod filtering;
mod hairpinning;
mod lifetime;
mod mapping;
mod overview;
mod probe;
mod progress;
mod reach;
mod report;
mod target;
mod tcp;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::Serialize;
use tokio::runtime;

use crate::{
    cli::NatArgs,
    failure::Failure,
    say::{self, Colours},
};

pub(crate) use reach::Unreachable;
pub(crate) use target::Target;

use progress::Progress;
use reach::Reached;
use report::Report;

/// What every test has to know.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// The address that sockets are bound to.
    local: IpAddr,
    /// The server's address that was asked first.
    server: SocketAddr,
    /// Its other address and other port, if it has them (RFC 5780 §7.4).
    other: Option<SocketAddr>,
    /// How long to wait until silence is an answer.
    patience: Duration,
}

/// Asks the server, and says what its answers and its silence mean.
pub(crate) fn run(arguments: &NatArgs) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(discover(arguments)) {
        Ok(report) if arguments.json => print_json(&report),
        Ok(report) => Ok(say::lines(&overview::words(&report, Colours::on(&io::stdout())))?),
        Err(unreachable) => {
            if arguments.json {
                print_json(&unreachable)?;
            }
            Err(unreachable.into())
        }
    }
}

/// How one server elsewhere sees this machine.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    pub(crate) public: SocketAddr,
    pub(crate) local: SocketAddr,
    /// What that means for WebRTC.
    pub(crate) words: &'static str,
    /// Whether the NAT maps each destination to another port; nothing is known from a server with one address.
    pub(crate) is_symmetric: Option<bool>,
}

/// Asks a server as `watari nat` does.
pub(crate) fn outside(server: &Target, patience: Duration) -> Result<Outside, Unreachable> {
    let unable = |error: io::Error| Unreachable::Unresolved {
        server: server.to_string(),
        reason: error.to_string(),
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.map_err(unable)?.block_on(discover(&NatArgs {
        server: server.clone(),
        ipv4: false,
        ipv6: false,
        local: None,
        timeout: patience.as_secs(),
        lifetime: None,
        // Progress is for people who wait for this alone.
        json: true,
    }))?;
    let is_symmetric = match report.mapping {
        report::Finding::Found(dependence) => Some(dependence != report::Dependence::EndpointIndependent),
        report::Finding::Unknown(_) => None,
    };
    Ok(Outside {
        public: report.public,
        local: report.local,
        words: report.webrtc.words,
        is_symmetric: is_symmetric.filter(|_| report.nat),
    })
}

/// Whether a STUN server answers a Binding request there.
pub(crate) fn answers(server: SocketAddr, patience: Duration) -> io::Result<bool> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let probe = probe::Probe::open(any, patience).await?;
        Ok(probe.ask(binding::Question::plain(server)).await.is_ok())
    })
}

async fn discover(arguments: &NatArgs) -> Result<Report, Unreachable> {
    let progress = Progress::new(arguments.json);
    progress.say(&format!("asking {} for this machine's address", arguments.server));
    let Reached {
        setting,
        local,
        answer,
    } = reach::reach(arguments).await?;
    progress.say(&format!(
        "asking {} about mapping, filtering and hairpinning",
        setting.server
    ));
    // Mapping sends to the server's other address; a filter that knows machines, not sockets, must not have seen that.
    let (filtering, hairpinning) = tokio::join!(filtering::test(&setting), hairpinning::test(&setting));
    let mapping = mapping::test(&setting).await;
    let filtering = filtering::believed(filtering, &mapping);
    let lifetime = match arguments.lifetime {
        Some(limit) => Some(lifetime::test(&setting, Duration::from_secs(limit), &progress).await),
        None => None,
    };
    Ok(Report::new(
        &setting,
        (local, &answer),
        mapping,
        filtering,
        hairpinning,
        lifetime,
    ))
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    Ok(say::lines(&text)?)
}
