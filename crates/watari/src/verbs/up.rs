//! `watari up`: the whole suite in this process.

mod announcement;
mod changing;
mod companion;
mod connections;
mod ice;
mod limited;
mod redirect;
mod secured;
mod service;
mod site;
mod start;
mod visitors;
mod web;

use std::{io, time::Duration};

use lifecycle::{Shutdown, Supervisor, take_passed_sockets, warn_of_idle_listeners};
use settings::Loaded;
use standalone::Reloads;
use telemetry::Health;
use tokio::runtime;

use crate::{
    cli::UpArgs,
    failure::Failure,
    say::{self, Colours},
    state::{self, Secrets},
    suite::Suite,
};

use announcement::Announcement;
use secured::Secured;
use start::{Pages, Start};

pub(crate) use secured::existing_authority;

/// How long the parts may drain before the process ends without them. The relay may have more time of its own.
const GRACE: Duration = Duration::from_secs(5);

/// Starts everything, says where it listens, and serves until asked to end.
pub(crate) fn run(arguments: &UpArgs) -> Result<(), Failure> {
    take_passed_sockets();
    let source = arguments.source();
    let settings: Loaded<Suite> = settings::load_with_keys(&source)?;
    let suite = &settings.value;
    let logging = telemetry::init_logging(&suite.log).map_err(io::Error::other)?;
    let folder = state::folder(arguments.state.as_deref().or(suite.state.folder.as_deref()))?;
    let secrets = state::load_or_mint(&folder)?;
    let secured = Secured::load(suite, &folder)?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let announcement = Announcement::new(folder);
    let done = runtime.block_on(async {
        let shutdown = lifecycle::on_signals()?;
        let reloads = Reloads::listen(source, settings.keys.clone(), logging, &shutdown)?;
        serve(
            suite,
            &secrets,
            secured,
            announcement,
            arguments,
            reloads,
            shutdown,
        )
        .await
    });
    // What is still running now had its time to drain.
    runtime.shutdown_background();
    done
}

async fn serve(
    suite: &Suite,
    secrets: &Secrets,
    secured: Secured,
    announcement: Announcement,
    arguments: &UpArgs,
    mut reloads: Reloads,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let health = Health::new();
    let mut start = Start {
        suite,
        secrets,
        secured,
        limits: site::limits(&suite.signaling),
        registry: telemetry::registry(),
        health: health.clone(),
        supervisor: Supervisor::new(shutdown.clone()),
        pages: Pages::new(),
        shutdown: shutdown.clone(),
        announcement,
    };
    reloads
        .register("watari", &start.registry)
        .map_err(io::Error::other)?;
    let changing = start.everything().await?;
    warn_of_idle_listeners();
    announce(&start.announcement, suite, arguments)?;
    let drain = u64::from(suite.turn.drain_seconds).max(suite.signaling.drain_seconds);
    let grace = GRACE + Duration::from_secs(drain);
    let parts = start.supervisor.run(grace);
    let serving = telemetry::keep_service_manager_informed(&health, shutdown.wait(), parts);
    let apply = async |suite: &Suite| changing.apply(suite).await;
    let drained = reloads.beside(serving, apply).await;
    start.pages.end().await?;
    drained?;
    tracing::info!("ended");
    Ok(())
}

fn announce(announcement: &Announcement, suite: &Suite, arguments: &UpArgs) -> io::Result<()> {
    if arguments.json {
        return say::lines(&serde_json::to_string(announcement)?);
    }
    let companion = companion::command(arguments, suite, announcement.relay);
    say::lines(&announcement.table(
        Colours::on(&io::stdout()),
        &companion,
        &companion::trust(arguments),
    ))
}
