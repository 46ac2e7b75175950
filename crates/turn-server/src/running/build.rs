//! Opens sockets and puts workers together.

use std::{
    io,
    net::SocketAddr,
    num::{NonZero, NonZeroU32},
    sync::Arc,
    thread,
};

use datagram_io::{
    Backend as _, Inbox, Native, Outbox, Socket, SocketId, Sockets, Stop, handover, is_missing_ipv6,
    open_listeners, open_relay, raise_descriptor_limit,
};
use mio::{Poll, Waker};
use prometheus::Registry;
use telemetry::BindingRequests;
use tracing::{info, warn};
use turn_core::{Errand, Server, Share, UnauthorizedLimit};

use crate::{
    Config, StartError,
    figures::Published,
    hosts::Hosts,
    ledger::SharedQuota,
    metrics::Metrics,
    plan::Plan,
    worker::{Parts, WAKER, Worker},
};

/// A worker with fewer ports would run out while its neighbours have some left.
const PORTS_PER_WORKER: u16 = 64;
/// Datagrams that may wait for a worker: 20,000 a second while it is off the processor for 50 ms. Their
/// memory becomes resident as they are used, 4 MB in the end for datagrams of common size.
const HANDOVER: usize = 1024;

/// A server that only lacks its threads.
pub(super) struct Built {
    pub(super) listeners: Vec<SocketAddr>,
    pub(super) workers: Vec<(Worker, Stop)>,
    /// What the workers look at; somebody has to watch it.
    pub(super) hosts: Hosts,
}

pub(super) fn build(config: &Config, registry: &Registry) -> Result<Built, StartError> {
    let mut plan = Plan::new(config, random()?).map_err(|mut mistakes| {
        let first = mistakes.swap_remove(0);
        StartError::Config {
            key: first.key,
            what: first.what,
        }
    })?;
    let count = worker_count(config);
    report_descriptors(config, count);
    try_relay_addresses(&plan)?;

    let mut listeners = Vec::new();
    let mut sockets: Vec<Vec<Socket>> = (0..count).map(|_| Vec::new()).collect();
    for &address in &config.listen {
        let Some(opened) = listen(config, address, count)? else {
            continue;
        };
        listeners.push(opened[0].local_address());
        for (worker, socket) in sockets.iter_mut().zip(opened) {
            worker.push(socket);
        }
    }
    plan.core.listeners = listeners.clone();

    let published: Vec<_> = (0..count).map(|_| Arc::new(Published::new())).collect();
    let rooms = rooms(count).map_err(|source| StartError::System {
        what: "a poll",
        source,
    })?;
    registry.register(Box::new(Metrics::new(published.clone())?))?;
    let binding_requests = BindingRequests::register(registry)?;
    let hosts = Hosts::new(plan.core.host_addresses.clone());
    let workers = furnish(&plan, rooms, sockets, &hosts, &published, &binding_requests)?;
    Ok(Built {
        listeners,
        workers,
        hosts,
    })
}

/// One worker per core, unless told otherwise or ports are few.
fn worker_count(config: &Config) -> usize {
    let ports = config
        .relay
        .max_port
        .saturating_sub(config.relay.min_port)
        .saturating_add(1);
    let wanted = match config.workers {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        workers => workers.into(),
    };
    // Elsewhere SO_REUSEPORT gives all datagrams to one of the sockets.
    let sensible = if cfg!(target_os = "linux") {
        usize::from((ports / PORTS_PER_WORKER).max(1))
    } else {
        1
    };
    if config.workers != 0 && wanted > sensible {
        warn!(
            wanted,
            workers = sensible,
            ports,
            "fewer workers than configured: a worker needs 64 relay ports"
        );
    }
    wanted.min(sensible)
}

fn report_descriptors(config: &Config, workers: usize) {
    let ports = u64::from(config.relay.max_port.saturating_sub(config.relay.min_port)) + 1;
    let relays = ports.min(u64::from(config.limits.allocations) * 2);
    let wanted = relays + (config.listen.len() * workers) as u64 + 128;
    match raise_descriptor_limit(wanted) {
        Ok(limit) if limit.is_enough() => info!("{limit}"),
        Ok(limit) => warn!("{limit}"),
        Err(error) => warn!(%error, "the limit of open descriptors is not known"),
    }
}

/// A relay address that is not this machine's is found now and not by the first client.
fn try_relay_addresses(plan: &Plan) -> Result<(), StartError> {
    for address in &plan.local_relay_addresses {
        open_relay(SocketAddr::new(*address, 0)).map_err(|source| StartError::RelayAddress {
            address: *address,
            source,
        })?;
    }
    Ok(())
}

/// Opens one address for all workers; `None` if it is skipped because nobody asked for it by name.
fn listen(config: &Config, address: SocketAddr, count: usize) -> Result<Option<Vec<Socket>>, StartError> {
    match open_listeners(address, count) {
        Ok(sockets) => Ok(Some(sockets)),
        Err(error) if config.listens_by_default() && is_missing_ipv6(address, &error) => {
            info!(%address, "this machine has no IPv6, listening on IPv4 only");
            Ok(None)
        }
        Err(source) => Err(StartError::Listen { address, source }),
    }
}

/// Where a worker lives: its poll, and the way other threads reach it.
struct Room {
    poll: Poll,
    stop: Stop,
    inbox: Inbox<Errand>,
    outbox: Outbox<Errand>,
}

fn rooms(count: usize) -> io::Result<Vec<Room>> {
    let room = |_| {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        // A single worker hands nothing over.
        let capacity = if count > 1 { HANDOVER } else { 1 };
        let (outbox, inbox) = handover(capacity, Arc::clone(&waker));
        Ok(Room {
            poll,
            stop: Stop::new(waker),
            inbox,
            outbox,
        })
    };
    (0..count).map(room).collect()
}

fn furnish(
    plan: &Plan,
    rooms: Vec<Room>,
    sockets: Vec<Vec<Socket>>,
    hosts: &Hosts,
    published: &[Arc<Published>],
    binding_requests: &BindingRequests,
) -> Result<Vec<(Worker, Stop)>, StartError> {
    let ledger = SharedQuota::new(plan.quota);
    let outboxes: Vec<_> = rooms.iter().map(|room| room.outbox.clone()).collect();
    let count = rooms.len() as u16;
    let limit = plan.core.unauthorized_limit;
    let unauthorized_limit = limit.map(|limit| part_of(limit, count));
    let mut workers = Vec::new();
    for (index, (room, sockets)) in rooms.into_iter().zip(sockets).enumerate() {
        let mut core = plan.core.clone();
        core.can_set_df = Native::CAN_SET_DF;
        core.share = Share::new(index as u16, count).expect("workers are numbered from 0");
        core.unauthorized_limit = unauthorized_limit;
        let others = outboxes
            .iter()
            .enumerate()
            .map(|(other, outbox)| (other != index).then(|| outbox.clone()));
        let listeners = sockets.len() as u32;
        let worker = Worker::new(Parts {
            sockets: table(&room.poll, sockets).map_err(|source| StartError::System {
                what: "a listener",
                source,
            })?,
            poll: room.poll,
            listeners,
            core: Server::new(core, Box::new(ledger.clone()), random()?),
            hosts: hosts.clone(),
            inbox: room.inbox,
            outboxes: others.collect(),
            stop: room.stop.clone(),
            published: Arc::clone(&published[index]),
            binding_requests: binding_requests.clone(),
        });
        workers.push((worker, room.stop));
    }
    Ok(workers)
}

/// What one of several workers may do of what the server may, rounded up. The kernel spreads the clients of a
/// network over all workers by address and port.
fn part_of(limit: UnauthorizedLimit, workers: u16) -> UnauthorizedLimit {
    let workers = NonZeroU32::new(workers.into()).unwrap_or(NonZeroU32::MIN);
    UnauthorizedLimit {
        per_second: limit.per_second.div_ceil(workers),
        burst: limit.burst.div_ceil(workers),
    }
}

fn table(poll: &Poll, listeners: Vec<Socket>) -> io::Result<Sockets> {
    let mut sockets = Sockets::new(Native::new(), poll.registry().try_clone()?);
    for (index, socket) in listeners.into_iter().enumerate() {
        sockets.insert(
            SocketId {
                index: index as u32,
                generation: 0,
            },
            socket,
        )?;
    }
    Ok(sockets)
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System {
        what: "random numbers",
        source: error.into(),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_limit_of_challenges_and_each_has_some() {
        let limit = |per_second, burst| UnauthorizedLimit {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        for (workers, per_second, burst) in [(1, 100, 1000), (3, 34, 334), (4, 25, 250), (128, 1, 8)] {
            let part = part_of(limit(100, 1000), workers);
            assert_eq!(part, limit(per_second, burst), "{workers} workers");
        }
    }
}
