//! What one thread of the generator does, from its first socket to its last Refresh.

use std::{net::SocketAddr, sync::mpsc, time::Duration};

use datagram_io::Batch;
use stun_wire::AddressFamily;

use crate::{
    Error,
    client::{Ask, Client},
    control::{Conductor, Stage},
    drops::dropped_at,
    ends::Ends,
    load::{Traffickers, partner},
    plan::{Load, Plan, Server, Subject, Traffic},
    set_up::Clients,
    tally::Tally,
};

/// Datagrams that are taken at once.
const BATCH: usize = 64;

/// How often a thread that has nothing to do looks at its stage.
const GLANCE: Duration = Duration::from_millis(5);

/// A thread's share of the clients.
pub(crate) struct Part {
    pub(crate) index: u32,
    first: u32,
    clients: u32,
    share: f64,
}

/// What a thread reports.
pub(crate) enum News {
    /// It has done what its stage asked: sockets are open; allocations are made.
    Done,
    /// It has ended.
    Ended(Result<Box<Tally>, Error>),
}

impl Part {
    /// Shares the clients of a plan among its threads, in pairs, so that partners stay together.
    pub(crate) fn of(plan: &Plan) -> Vec<Self> {
        let between = matches!(plan.subject, Subject::Load(load) if load.traffic == Traffic::RelayToRelay);
        let all = if between {
            plan.allocations.next_multiple_of(2)
        } else {
            plan.allocations
        };
        let pairs = all.div_ceil(2);
        let threads = plan.threads.clamp(1, pairs.max(1));
        let mut parts = Vec::new();
        let mut first = 0;
        for index in 0..threads {
            let end = (u64::from(pairs) * u64::from(index + 1) / u64::from(threads)) as u32 * 2;
            let clients = end.min(all) - first;
            parts.push(Self {
                index,
                first,
                clients,
                share: f64::from(clients) / f64::from(all.max(1)),
            });
            first += clients;
        }
        parts
    }
}

/// Makes this part of the allocations, follows the stages, and gives the allocations back.
pub(crate) fn run(
    server: &Server,
    plan: &Plan,
    part: &Part,
    conductor: &Conductor<'_>,
    news: &mpsc::Sender<News>,
) -> Result<Tally, Error> {
    let mut ends = Ends::open(server, plan.transport, part.clients, sends_runs(plan.subject))?;
    let mut batch = Batch::new(BATCH);
    let mut clients = Clients::new(part.first, part.clients, server.account.clone());
    say_done(news);
    wait_for(Stage::SetUp, conductor, &mut ends, &mut batch)?;
    let done = serve(
        server,
        plan,
        part,
        conductor,
        news,
        &mut clients,
        &mut ends,
        &mut batch,
    );
    clients.free(&mut ends, &mut batch);
    done
}

#[expect(
    clippy::too_many_arguments,
    reason = "it is the middle of `run`, so that `?` does not skip its end"
)]
fn serve(
    server: &Server,
    plan: &Plan,
    part: &Part,
    conductor: &Conductor<'_>,
    news: &mpsc::Sender<News>,
    clients: &mut Clients,
    ends: &mut Ends,
    batch: &mut Batch,
) -> Result<Tally, Error> {
    let family = AddressFamily::of(server.peer);
    clients.perform(ends, batch, conductor, |_, _| Some(Ask::Allocate(family)))?;
    let peers: Vec<_> = (0..part.clients).map(|client| ends.peer_of(client)).collect();
    clients.perform(ends, batch, conductor, |all, client| {
        wish(plan.subject, all, &peers, client)
    })?;
    say_done(news);
    let Subject::Load(load) = plan.subject else {
        wait_for(Stage::Drain, conductor, ends, batch)?;
        return Ok(Tally::new());
    };
    wait_for(Stage::WarmUp, conductor, ends, batch)?;
    let traffic = traffickers(load, part, &clients.all)?;
    let ports = ends.ports().collect();
    let dropped_before = dropped_at(&ports);
    let mut tally = traffic.run(ends, batch, conductor)?;
    tally.unsent = ends.unsent();
    tally.missed = dropped_at(&ports).saturating_sub(dropped_before);
    Ok(tally)
}

fn sends_runs(subject: Subject) -> bool {
    match subject {
        Subject::Load(load) => load.runs,
        Subject::SetUp | Subject::Idle => false,
    }
}

/// What a client asks for once it has an allocation.
fn wish(subject: Subject, all: &[Client], peers: &[SocketAddr], client: u32) -> Option<Ask> {
    let peer = peers[client as usize];
    match subject {
        Subject::Idle => None,
        Subject::SetUp => Some(Ask::BindChannel(peer)),
        Subject::Load(load) => match load.traffic {
            Traffic::Channel => Some(Ask::BindChannel(peer)),
            Traffic::Indication => Some(Ask::Permit(peer)),
            Traffic::RelayToRelay => all.get(partner(client) as usize)?.relayed.map(Ask::BindChannel),
        },
    }
}

fn traffickers(load: Load, part: &Part, clients: &[Client]) -> Result<Traffickers, Error> {
    let relayed: Option<Vec<_>> = clients.iter().map(|client| client.relayed).collect();
    let run = getrandom::u32().map_err(std::io::Error::other)? as u16;
    Ok(Traffickers::new(
        load,
        part.share,
        relayed.ok_or(Error::Cancelled)?,
        run,
    ))
}

fn say_done(news: &mpsc::Sender<News>) {
    // Without a listener the measurement has failed, and the stage says so.
    let _ = news.send(News::Done);
}

/// Waits for a stage; what arrives meanwhile is taken and forgotten.
fn wait_for(
    stage: Stage,
    conductor: &Conductor<'_>,
    ends: &mut Ends,
    batch: &mut Batch,
) -> Result<(), Error> {
    while conductor.stage() < stage {
        if conductor.is_over() {
            return Err(Error::Cancelled);
        }
        ends.wait(GLANCE)?;
        ends.receive(batch, |_, _| {})?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Direction, Pace, Transport};

    #[test]
    fn threads_share_all_clients_and_keep_pairs_together() {
        let load = |traffic| {
            Subject::Load(Load {
                traffic,
                direction: Direction::Both,
                payload: 100,
                burst: 1,
                runs: false,
                pace: Pace::Window(1),
            })
        };
        let parts = |subject, allocations, threads| {
            let plan = Plan {
                subject,
                transport: Transport::Udp,
                allocations,
                seconds: 1.0,
                warm_up_seconds: 0.0,
                threads,
            };
            let parts = Part::of(&plan);
            parts
                .iter()
                .map(|part| (part.first, part.clients))
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(Subject::Idle, 7, 1), [(0, 7)]);
        assert_eq!(parts(Subject::Idle, 7, 3), [(0, 2), (2, 2), (4, 3)]);
        assert_eq!(parts(load(Traffic::Channel), 1, 4), [(0, 1)]);
        assert_eq!(parts(load(Traffic::RelayToRelay), 5, 2), [(0, 2), (2, 4)]);
    }
}
