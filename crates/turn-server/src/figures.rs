//! What a worker counts, laid out flat so that it can be read while the worker goes on.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use datagram_io::IoCounters;
use stream_io::Ending;
use turn_core::{
    AuthFailure, CountedMethod, Counters, Direction, DropReason, Durations, ERROR_CODES, Family, PeerRefusal,
    Transport,
};

use crate::worker::dtls;

/// Names one number of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Allocations(Transport, Family),
    AllocationsCreated,
    IcmpRelayed,
    AllocationsResumed,
    RelayBytes(Direction),
    RelayPackets(Direction),
    Dropped(DropReason),
    Lost(Loss),
    Runs(Runs),
    Requests(CountedMethod, Transport),
    Errors(CountedMethod, u16),
    AuthFailures(AuthFailure),
    /// How many durations fell into this bucket.
    DurationBucket(usize),
    DurationMillis,
    RelayPortsInUse,
    PeerConnections,
    PeersRefused(PeerRefusal),
    /// Open connections, those within TLS or the others.
    Connections {
        secure: bool,
    },
    ConnectionsEnded(Ending),
    AcceptFailed,
    Dtls(dtls::Figure),
}

/// Ways a datagram dies between the core and the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    SendBlocked,
    SendFailed,
    SendTooLong,
    SocketClosed,
    WorkerBusy,
    ReceiveError,
    ClientQueueFull,
}

impl Loss {
    pub(crate) const ALL: [Self; 7] = [
        Self::SendBlocked,
        Self::SendFailed,
        Self::SendTooLong,
        Self::SocketClosed,
        Self::WorkerBusy,
        Self::ReceiveError,
        Self::ClientQueueFull,
    ];

    /// As metrics label it, beside the reasons of the core.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SendBlocked => "send_blocked",
            Self::SendFailed => "send_failed",
            Self::SendTooLong => "send_too_long",
            Self::SocketClosed => "socket_closed",
            Self::WorkerBusy => "worker_busy",
            Self::ReceiveError => "receive_error",
            Self::ClientQueueFull => "client_queue_full",
        }
    }
}

/// What became of runs, each of several datagrams of one flow in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    Received,
    Sent,
    Refused,
}

impl Runs {
    pub(crate) const ALL: [Self; 3] = [Self::Received, Self::Sent, Self::Refused];

    /// As the metric labels it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }
}

/// The counters of one worker, where it alone may look.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) core: &'a Counters,
    pub(crate) io: &'a IoCounters,
    pub(crate) streams: &'a stream_io::Counters,
    pub(crate) dtls: &'a dtls::Counters,
    /// Datagrams for another worker whose ring was full.
    pub(crate) worker_busy: u64,
}

impl Figure {
    /// Every figure there is.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::AllocationsCreated,
            Self::IcmpRelayed,
            Self::AllocationsResumed,
            Self::DurationMillis,
            Self::RelayPortsInUse,
            Self::PeerConnections,
            Self::AcceptFailed,
        ];
        all.extend(dtls::Figure::all().into_iter().map(Self::Dtls));
        all.extend(
            PeerRefusal::ALL
                .iter()
                .map(|&refusal| Self::PeersRefused(refusal)),
        );
        all.extend([false, true].map(|secure| Self::Connections { secure }));
        all.extend(Ending::ALL.iter().map(|&ending| Self::ConnectionsEnded(ending)));
        for transport in Transport::ALL {
            all.extend(Family::ALL.map(|family| Self::Allocations(transport, family)));
            let methods = CountedMethod::ALL.iter();
            all.extend(methods.map(|&method| Self::Requests(method, transport)));
        }
        for &direction in Direction::ALL {
            all.extend([Self::RelayBytes(direction), Self::RelayPackets(direction)]);
        }
        all.extend(DropReason::ALL.iter().map(|&reason| Self::Dropped(reason)));
        all.extend(Loss::ALL.map(Self::Lost));
        all.extend(Runs::ALL.map(Self::Runs));
        for &method in CountedMethod::ALL {
            all.extend(ERROR_CODES.map(|code| Self::Errors(method, code)));
        }
        all.extend(
            AuthFailure::ALL
                .iter()
                .map(|&failure| Self::AuthFailures(failure)),
        );
        all.extend((0..=Durations::BOUNDS.len()).map(Self::DurationBucket));
        all
    }

    fn read(self, from: Sources<'_>) -> u64 {
        match self {
            Self::Allocations(transport, family) => from.core.allocations(transport, family),
            Self::AllocationsCreated => from.core.allocations_created,
            Self::IcmpRelayed => from.core.icmp_relayed,
            Self::AllocationsResumed => from.core.allocations_resumed,
            Self::RelayBytes(direction) => from.core.relayed(direction).bytes,
            Self::RelayPackets(direction) => from.core.relayed(direction).packets,
            Self::Dropped(reason) => from.core.dropped(reason),
            Self::Lost(Loss::SendBlocked) => from.io.send_blocked,
            Self::Lost(Loss::SendFailed) => from.io.send_failed,
            Self::Lost(Loss::SendTooLong) => from.io.send_too_long,
            Self::Lost(Loss::SocketClosed) => from.io.socket_closed + from.streams.gone,
            Self::Lost(Loss::WorkerBusy) => from.worker_busy,
            Self::Lost(Loss::ReceiveError) => from.io.receive_errors,
            Self::Lost(Loss::ClientQueueFull) => from.streams.queue_full,
            Self::Runs(Runs::Received) => from.io.received_runs,
            Self::Runs(Runs::Sent) => from.io.sent_runs,
            Self::Runs(Runs::Refused) => from.io.refused_runs,
            Self::Requests(method, transport) => from.core.requests(method, transport),
            Self::Errors(method, code) => from.core.errors(method, code),
            Self::AuthFailures(failure) => from.core.auth_failures(failure),
            Self::DurationBucket(index) => from.core.durations.counts()[index],
            Self::DurationMillis => u64::try_from(from.core.durations.sum().as_millis()).unwrap_or(u64::MAX),
            Self::RelayPortsInUse => from.core.relay_ports_in_use,
            Self::PeerConnections => from.core.peer_connections,
            Self::PeersRefused(refusal) => from.core.refused_peers(refusal),
            Self::Connections { secure } => from.streams.open[usize::from(secure)],
            Self::ConnectionsEnded(ending) => from.streams.ended(ending),
            Self::AcceptFailed => from.streams.accept_failed,
            Self::Dtls(figure) => figure.read(from.dtls),
        }
    }
}

/// The last published figures of one worker, in the order of [`Figure::all`].
pub(crate) struct Published {
    figures: Vec<(Figure, AtomicU64)>,
}

impl Published {
    pub(crate) fn new() -> Self {
        Self {
            figures: Figure::all()
                .into_iter()
                .map(|figure| (figure, AtomicU64::new(0)))
                .collect(),
        }
    }

    /// Shows the present figures to whoever reads; called by the worker between batches.
    pub(crate) fn publish(&self, from: Sources<'_>) {
        for (figure, shown) in &self.figures {
            shown.store(figure.read(from), Relaxed);
        }
    }

    /// The figures last published.
    pub(crate) fn read(&self) -> impl Iterator<Item = (Figure, u64)> {
        self.figures
            .iter()
            .map(|(figure, shown)| (*figure, shown.load(Relaxed)))
    }
}
