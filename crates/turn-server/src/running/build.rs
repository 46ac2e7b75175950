//! Opens sockets and puts workers together.

use std::{io, net::SocketAddr, num::NonZero, sync::Arc, thread, time::Duration};

use certificates::Certificates;
use datagram_io::{
    Backend as _, Inbox, Native, Outbox, SocketId, Sockets, Stop, handover, open_relay,
    raise_descriptor_limit,
};
use mio::{Poll, Waker};
use peer_io::Peers;
use prometheus::Registry;
use stream_io::{Census, Reception, Rules, Streams, TURN_PROTOCOLS};
use telemetry::BindingRequests;
use tracing::{debug, info, warn};
use turn_core::{Server, Share, Transport};

use super::{
    Surroundings,
    listening::{self, Listeners},
};
use crate::{
    Config, Reloader, Revoker, StartError,
    admin::Token,
    alternates::Alternates,
    clock::Clock,
    config,
    directory::SharedDirectory,
    drain::Draining,
    figures::Published,
    hosts::Hosts,
    ledger::SharedQuota,
    metrics::Metrics,
    plan::{self, Plan},
    revoker::Kept,
    upstream::Upstream,
    worker::{
        News, Note, Parts, WAKER, Worker,
        dtls::Dtls,
        mail::{Letterboxes, Mail, mail},
    },
};

/// A worker with fewer ports would run out while its neighbours have some left.
const PORTS_PER_WORKER: u16 = 64;
/// Datagrams that may wait for a worker: 20,000 a second while it is off the processor for 50 ms. Their
/// memory becomes resident as they are used, 4 MB in the end for datagrams of common size.
const HANDOVER: usize = 1024;

/// A server that only lacks its threads.
pub(super) struct Built {
    pub(super) listeners: Vec<SocketAddr>,
    pub(super) tcp_listeners: Vec<SocketAddr>,
    pub(super) tls_listeners: Vec<SocketAddr>,
    pub(super) upstream: Option<Upstream>,
    pub(super) workers: Vec<(Worker, Stop)>,
    /// What the workers look at; somebody has to watch it.
    pub(super) hosts: Hosts,
    pub(super) alternates: Alternates,
    pub(super) draining: Draining,
    pub(super) revoker: Revoker,
    pub(super) reloader: Reloader,
    pub(super) token: Token,
}

pub(super) fn build(
    config: &Config,
    surroundings: &Surroundings<'_>,
    token: Token,
) -> Result<Built, StartError> {
    let registry = surroundings.registry;
    let mut plan = Plan::new(config, random()?).map_err(|mut mistakes| {
        let first = mistakes.swap_remove(0);
        StartError::Config {
            key: first.key,
            what: first.what,
        }
    })?;
    let count = worker_count(config);
    make_room_for(config, count);
    try_relay_addresses(&plan)?;

    let opened = listening::open(config, surroundings.certificates.is_some(), count)?;
    plan.core.listeners.clone_from(&opened.udp);
    // Nobody connects to them from a relay either.
    plan.core.listeners.extend(opened.tcp.iter().chain(&opened.tls));

    let published: Vec<_> = (0..count).map(|_| Arc::new(Published::new())).collect();
    let (rooms, boxes) = rooms(count).map_err(|source| StartError::System {
        what: "a poll",
        source,
    })?;
    let kept = kept(config)?;
    let revoked: Vec<_> = kept.iter().flat_map(Kept::usernames).cloned().collect();
    let revoker = Revoker::new(boxes.clone(), kept);
    registry.register(Box::new(Metrics::new(published.clone())?))?;
    let binding_requests = binding_requests(registry)?;
    let hosts = Hosts::new(plan.core.host_addresses.clone());
    let alternates = Alternates::new(config.alternate.alternates(), registry)?;
    let most = Duration::from_secs(config.drain_seconds.into());
    let draining = Draining::new(most, published.clone(), registry)?;
    let (reception, upstream) = reception(config, surroundings)?;
    let ledger = SharedQuota::new(plan.quota);
    let workers = NonZero::new(count as u16).unwrap_or(NonZero::<u16>::MIN);
    let reloader = Reloader::new(boxes, workers, ledger.clone(), token.clone());
    let shared = Shared {
        ledger,
        directory: directory(config, &plan, count)?,
        census: Census::new(&reception.limits),
        reception,
        news: News::new(hosts.clone(), alternates.clone(), draining.word()),
        binding_requests,
        dtls: config::Dtls {
            enabled: config.wants_dtls(),
            ..config.dtls.clone()
        },
        certificates: surroundings.certificates.clone().unwrap_or_default(),
        cookie_secret: random()?,
        revoked,
    };
    let workers = furnish(&plan, rooms, opened.workers, &published, &shared)?;
    Ok(Built {
        listeners: opened.udp,
        tcp_listeners: opened.tcp,
        tls_listeners: opened.tls,
        upstream,
        workers,
        hosts,
        alternates,
        draining,
        revoker,
        reloader,
        token,
    })
}

/// What all workers have in common.
struct Shared {
    ledger: SharedQuota,
    /// One worker alone knows everything itself.
    directory: Option<SharedDirectory>,
    census: Census,
    reception: Reception,
    news: News,
    binding_requests: [BindingRequests; Transport::ALL.len()],
    dtls: config::Dtls,
    certificates: Certificates,
    /// For the cookies of all workers.
    cookie_secret: [u8; 32],
    /// What was revoked before the start.
    revoked: Vec<Arc<str>>,
}

impl Shared {
    /// The DTLS sessions of a worker, one of so many.
    fn dtls(&self, worker: u16, workers: NonZero<u16>) -> Dtls {
        let certificates = self.certificates.clone();
        let place = (worker, workers);
        Dtls::new(&self.dtls, certificates, &self.cookie_secret, place)
    }
}

/// What is kept of revocations.
fn kept(config: &Config) -> Result<Option<Kept>, StartError> {
    let path = config.admin.revoked_file.as_ref();
    let kept = path.map(|path| {
        Kept::open(path, config.username_separator).map_err(|error| StartError::Config {
            key: "admin.revoked_file".to_owned(),
            what: format!("{} cannot be used: {error}", path.display()),
        })
    });
    kept.transpose()
}

/// How connections are received, and what runs for those of the web.
fn reception(
    config: &Config,
    surroundings: &Surroundings<'_>,
) -> Result<(Reception, Option<Upstream>), StartError> {
    let shared = &config.shared_port;
    let upstream = shared
        .upstream
        .map(|address| Upstream::start(address, shared))
        .transpose()
        .map_err(|source| StartError::System {
            what: "a thread for web connections",
            source,
        })?;
    let door = upstream.as_ref().map(Upstream::door);
    let tls = surroundings.certificates.as_ref();
    let names = shared.names.iter().map(|(name, to)| (name.clone(), to.rule()));
    let reception = Reception {
        tls: tls.map(|certificates| certificates.server_config(&TURN_PROTOCOLS, config.tls.min_version)),
        rules: Rules::new(shared.default.rule(), names),
        door: door.or_else(|| surroundings.door.clone()),
        proxies: config.proxy_protocol.from.clone(),
        ..Reception::new(config.streams.limits())
    };
    Ok((reception, upstream))
}

fn binding_requests(
    registry: &Registry,
) -> Result<[BindingRequests; Transport::ALL.len()], prometheus::Error> {
    let of = |transport: Transport| BindingRequests::register(registry, transport.name());
    let [udp, tcp, tls, dtls] = Transport::ALL;
    Ok([of(udp)?, of(tcp)?, of(tls)?, of(dtls)?])
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

/// Has the system allow the descriptors that a configuration may need, as far as it does, and says so if that is too few.
pub(crate) fn make_room_for(config: &Config, workers: usize) {
    match raise_descriptor_limit(config.descriptors(workers)) {
        Ok(limit) if limit.now == limit.before && limit.is_enough() => debug!("{limit}"),
        Ok(limit) if limit.is_enough() => info!("{limit}"),
        Ok(limit) => warn!("{limit}"),
        Err(error) => warn!(%error, "the limit of open descriptors is not known"),
    }
}

/// A relay address that is not this machine's is found now and not by the first client.
fn try_relay_addresses(plan: &Plan) -> Result<(), StartError> {
    for address in &plan.local_relay_addresses {
        open_relay(SocketAddr::new(*address, 0), plan.relay_buffer).map_err(|source| {
            StartError::RelayAddress {
                address: *address,
                source,
            }
        })?;
    }
    Ok(())
}

/// Where a worker lives: its poll, and the way other threads reach it.
struct Room {
    poll: Poll,
    stop: Stop,
    inbox: Inbox<Note>,
    outbox: Outbox<Note>,
    mail: Mail,
}

/// Makes the rooms, and the way into all of them.
fn rooms(count: usize) -> io::Result<(Vec<Room>, Letterboxes)> {
    let polls = (0..count).map(|_| {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok((poll, waker))
    });
    let polls = polls.collect::<io::Result<Vec<_>>>()?;
    let mails = mail(polls.iter().map(|(_, waker)| Arc::clone(waker)));
    let boxes = Letterboxes::of(&mails);
    let room = |((poll, waker), mail)| {
        // A single worker hands nothing over.
        let capacity = if count > 1 { HANDOVER } else { 1 };
        let (outbox, inbox) = handover(capacity, Arc::clone(&waker));
        Room {
            poll,
            stop: Stop::new(waker),
            inbox,
            outbox,
            mail,
        }
    };
    Ok((polls.into_iter().zip(mails).map(room).collect(), boxes))
}

fn furnish(
    plan: &Plan,
    rooms: Vec<Room>,
    listeners: Vec<Listeners>,
    published: &[Arc<Published>],
    shared: &Shared,
) -> Result<Vec<(Worker, Stop)>, StartError> {
    let outboxes: Vec<_> = rooms.iter().map(|room| room.outbox.clone()).collect();
    let count = rooms.len() as u16;
    let workers_there = NonZero::new(count).unwrap_or(NonZero::<u16>::MIN);
    let limit = plan.core.unauthorized_limit;
    let unauthorized_limit = limit.map(|limit| plan::part_of(limit, workers_there));
    let mut workers = Vec::new();
    for (index, (room, listeners)) in rooms.into_iter().zip(listeners).enumerate() {
        let mut core = plan.core.clone();
        core.can_set_df = Native::CAN_SET_DF;
        core.share = Share::new(index as u16, count).expect("workers are numbered from 0");
        core.unauthorized_limit = unauthorized_limit;
        let others = outboxes
            .iter()
            .enumerate()
            .map(|(other, outbox)| (other != index).then(|| outbox.clone()));
        let sockets = listeners.datagrams.len() as u32;
        let tables = tables(&room.poll, listeners, plan, shared).map_err(|source| StartError::System {
            what: "a listener",
            source,
        })?;
        let mut core = Server::new(core, Box::new(shared.ledger.clone()), random()?);
        if let Some(directory) = &shared.directory {
            core = core.with_directory(Box::new(directory.clone()));
        }
        let now = Clock::new().read();
        for username in &shared.revoked {
            // What was kept is of that form, and no more than the core takes: a worker had taken it.
            let _ = core.remember_revoked(now, username);
        }
        let worker = Worker::new(Parts {
            index: index as u16,
            sockets: tables.sockets,
            streams: tables.streams,
            dtls: shared.dtls(index as u16, workers_there),
            peers: tables.peers,
            poll: room.poll,
            listeners: sockets,
            core,
            news: shared.news.clone(),
            inbox: room.inbox,
            outboxes: others.collect(),
            coalesce: plan.coalesce,
            mail: room.mail,
            stop: room.stop.clone(),
            published: Arc::clone(&published[index]),
            binding_requests: shared.binding_requests.clone(),
        });
        workers.push((worker, room.stop));
    }
    Ok(workers)
}

fn directory(config: &Config, plan: &Plan, workers: usize) -> Result<Option<SharedDirectory>, StartError> {
    if workers == 1 {
        return Ok(None);
    }
    // The quota may be raised while we run; there are no more allocations than ports in any case.
    let ports = u32::from(config.relay.max_port.saturating_sub(config.relay.min_port)) + 1;
    let addresses = config.relay.addresses.len().max(1) as u32;
    let allocations = plan.quota.total.get().max(ports.saturating_mul(addresses));
    Ok(Some(SharedDirectory::new(allocations, random()?)))
}

/// The tables of sockets of one worker.
struct Tables {
    sockets: Sockets,
    streams: Streams,
    peers: Peers,
}

fn tables(poll: &Poll, listeners: Listeners, plan: &Plan, shared: &Shared) -> io::Result<Tables> {
    let registry = || poll.registry().try_clone();
    let native = Native::reporting(plan.reported).joining_runs();
    let mut sockets = Sockets::new(native, registry()?);
    sockets.set_relay_buffer(plan.relay_buffer);
    for (index, socket) in listeners.datagrams.into_iter().enumerate() {
        sockets.insert(
            SocketId {
                index: index as u32,
                generation: 0,
            },
            socket,
        )?;
    }
    let streams = Streams::new(
        registry()?,
        listeners.streams,
        shared.reception.clone(),
        shared.census.clone(),
    )?;
    Ok(Tables {
        sockets,
        streams,
        peers: Peers::new(registry()?),
    })
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System {
        what: "random numbers",
        source: error.into(),
    })?;
    Ok(bytes)
}
