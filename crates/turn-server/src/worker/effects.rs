//! What the core wants done beside its verdicts.

use std::io;

use datagram_io::Outbox;
use tracing::debug;
use turn_core::{Errand, FiveTuple, HeaderFields, Link, Now, OpenError, Output, RelayTransport, Transport};

use super::{
    Note, Worker,
    names::{connected, connection, listener, relay_socket},
    tcp_relay::{name, relay_name},
};

impl Worker {
    /// Performs outputs until there are none; opening a socket can bring about more.
    pub(super) fn perform_outputs(&mut self, now: Now) {
        while let Some(output) = self.core.poll_output() {
            self.perform(now, output);
        }
    }

    fn perform(&mut self, now: Now, output: Output) {
        match output {
            Output::OpenRelay {
                relay,
                address,
                transport,
            } => {
                let opened = match transport {
                    RelayTransport::Udp => self.sockets.open(relay_socket(self.listeners, relay), address),
                    RelayTransport::Tcp => self.peers.open(relay_name(relay), address),
                };
                if let Err(error) = &opened {
                    debug!(%address, %error, "cannot open a relay socket");
                }
                self.core
                    .relay_opened(now, relay, opened.map_err(|error| open_error(&error)));
            }
            Output::CloseRelay { relay } => {
                // What came before in this batch still leaves through the socket.
                self.sockets.send(&mut self.batch);
                self.sockets.close(relay_socket(self.listeners, relay));
                self.peers.close_relay(relay_name(relay));
            }
            Output::Tell { worker, errand } => self.tell(worker, errand),
            Output::ConnectPeer { peer, from, to } => {
                if let Err(error) = self.peers.connect(name(peer), from, to) {
                    debug!(peer = %to, %error, "cannot connect to a peer");
                    self.core.peer_connected(now, peer, false);
                }
            }
            Output::ConnectRelay {
                peer,
                worker,
                from,
                to,
            } => self.connect_relay(now, peer, worker, from, to),
            Output::ClosePeer { peer } => self.peers.close(name(peer)),
            Output::SendToClient { to, datagram } => self.send_deferred(to, &datagram),
            Output::AllocationCreated {
                five_tuple,
                username,
                relayed,
                lifetime,
            } => {
                self.hold(five_tuple, true, now);
                let client = five_tuple.client;
                debug!(%client, ?username, ?relayed, lifetime = lifetime.as_secs(), "allocation created");
            }
            Output::HoldConnection { client, held } => self.hold(client, held, now),
            Output::ClientMoved { from, to, username } => {
                self.hold(from, false, now);
                debug!(from = %from.client, to = %to.client, ?username, "client moved");
            }
            Output::GuessedWrong { five_tuple, failure } => {
                let over = five_tuple.transport.name();
                telemetry::log_wrong_guess(over, five_tuple.client.ip(), failure.name());
            }
            Output::AllocationEnded {
                five_tuple,
                username,
                reason,
                created_at,
            } => {
                self.hold(five_tuple, false, now);
                let (client, lived) = (
                    five_tuple.client,
                    now.instant.saturating_duration_since(created_at),
                );
                debug!(%client, ?username, ?reason, lived = lived.as_secs(), "allocation ended");
            }
        }
    }

    fn hold(&mut self, client: FiveTuple, held: bool, now: Now) {
        let Link::Connection(id) = client.link else {
            return;
        };
        if client.transport == Transport::Dtls {
            self.dtls.hold(now, id, held);
        // What another worker's connection is to that one, it knows.
        } else if let Some(id) = connection(self.index, id) {
            self.streams.hold(id, held, now.instant);
        }
    }

    /// Sends what waits for connections, and ends the allocations of those that are gone.
    pub(super) fn finish_streams(&mut self, now: Now) {
        self.streams.finish();
        while let Some(ended) = self.streams.next_ended() {
            let client = connected(self.index, ended.id, ended.secure, ended.client, ended.server);
            debug!(client = %ended.client, reason = ended.ending.name(), "connection ended");
            self.core.client_disconnected(now, client);
            self.perform_outputs(now);
            self.unpublished = true;
        }
    }

    fn tell(&mut self, worker: u16, errand: Errand) {
        let (outboxes, sender) = (&self.outboxes, self.index);
        let ring = |worker, errand| try_to_tell(outboxes, sender, worker, errand);
        self.untold.tell(worker, errand, ring);
    }

    /// Tries once more to tell what other workers' rings had no room for.
    pub(super) fn tell_again(&mut self) {
        let (outboxes, sender) = (&self.outboxes, self.index);
        let ring = |worker, errand| try_to_tell(outboxes, sender, worker, errand);
        self.untold.tell_again(ring);
    }

    fn send_deferred(&mut self, to: FiveTuple, datagram: &[u8]) {
        if let (Link::Connection(id), Transport::Tcp | Transport::Tls) = (to.link, to.transport) {
            if let Some(id) = connection(self.index, id) {
                self.streams.send(id, datagram);
            }
            return;
        }
        self.deferred.commit(1);
        let slot = &mut self.deferred.filled_mut()[0];
        slot.buffer_mut()[..datagram.len()].copy_from_slice(datagram);
        match to.link {
            Link::Listener(id) => {
                slot.send(listener(id), 0..datagram.len(), to.server, to.client);
            }
            Link::Connection(id) => {
                self.dtls.send(slot, id, 0..datagram.len());
            }
        }
        self.sockets.send(&mut self.deferred);
        self.deferred.clear();
    }
}

/// A worker that is not there is told nothing.
fn try_to_tell(outboxes: &[Option<Outbox<Note>>], sender: u16, worker: u16, errand: Errand) -> bool {
    let outbox = outboxes.get(usize::from(worker)).and_then(Option::as_ref);
    outbox.is_none_or(|outbox| {
        outbox
            .tell(Note {
                sender,
                errand,
                fields: HeaderFields::default(),
            })
            .is_ok()
    })
}

fn open_error(error: &io::Error) -> OpenError {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => OpenError::TooManyDescriptors,
        _ if error.kind() == io::ErrorKind::AddrInUse => OpenError::AddressInUse,
        _ if error.kind() == io::ErrorKind::AddrNotAvailable => OpenError::AddressNotAvailable,
        _ => OpenError::Other,
    }
}
