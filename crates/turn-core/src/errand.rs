//! What the workers of one server hand to each other, and how a client is served whose datagrams arrive at one worker
//! while another holds its allocation.
//!
//! ```text
//! client ─▶ worker 2 ─ FromClient ─▶ worker 1, which holds the allocation ─▶ peer
//! client ◀─ worker 2 ◀─ ToClient ─── worker 1                             ◀─ peer
//! ```
//!
//! Answers to requests go back the way they came and bring the route with them. If one is lost on the way, so is the
//! route, and the client asks again. What is relayed leaves by worker 1's own listener where the client speaks UDP.
//!
//! Clients that cannot move have no routes: worker 2 finds worker 1 in the [`Directory`](crate::Directory), and worker 1
//! answers by itself.

use std::{net::SocketAddr, time::Instant};

use stun_wire::Message;

use crate::{
    output::{DropReason, Output, Verdict, Via},
    packet::Packet,
    server::{Arrival, Server},
    slots::Key,
    types::{FiveTuple, Now},
};

/// Says what a datagram is that another worker handed over, and so what is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// One relay of this server sent it to another, whose port may be this worker's.
    Hairpin {
        /// The relayed transport address it comes from.
        from: SocketAddr,
        /// The relayed transport address it goes to.
        to: SocketAddr,
    },
    /// A client sent it that this worker may hold the allocation of.
    FromClient {
        /// The client.
        client: FiveTuple,
    },
    /// It goes to a client whose datagrams arrive here.
    ToClient {
        /// The client.
        client: FiveTuple,
        /// Until when the client's datagrams are to be handed to the worker it comes from, if that is to be known.
        until: Option<Instant>,
    },
    /// It was handed over, but the other worker has no allocation for the client.
    Returned {
        /// The client.
        client: FiveTuple,
    },
    /// No datagram, but the word that a client's connection is gone.
    Gone {
        /// The client.
        client: FiveTuple,
    },
    /// No datagram, but the word that the client's allocation is no longer there.
    Forget {
        /// The client.
        client: FiveTuple,
    },
}

impl Server {
    /// Takes what the worker `sender` handed over as [`Via::Worker`] or [`Output::Tell`] said. The packet has the
    /// header fields that it left that worker with.
    pub fn handle_errand(
        &mut self,
        now: Now,
        sender: u16,
        errand: Errand,
        packet: &mut Packet<'_>,
    ) -> Verdict {
        let verdict = match errand {
            Errand::Hairpin { from, to } => self.relay_hairpin(now, from, to, packet),
            Errand::FromClient { client } => self.serve_from_afar(now, sender, client, packet),
            Errand::ToClient { client, until } => self.pass_on(now, sender, client, until),
            Errand::Returned { client } => {
                self.forget_route(client);
                self.serve(now, client, packet, Arrival::HandedOver)
            }
            Errand::Gone { client } => {
                self.client_disconnected(now, client);
                Ok(Verdict::Done)
            }
            Errand::Forget { client } => {
                self.forget_route(client);
                Ok(Verdict::Done)
            }
        };
        self.settle(verdict)
    }

    /// Serves a client whose datagrams arrive at the worker `sender`.
    fn serve_from_afar(
        &mut self,
        now: Now,
        sender: u16,
        client: FiveTuple,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let hand_back = |errand| Verdict::Send {
            via: Via::Worker {
                worker: sender,
                errand,
            },
            to: client.client,
        };
        // What is returned is not handed over again: it names no ticket of this worker, and its route is forgotten.
        if self.table.client(client).is_none() && !self.redeems_here(packet) {
            return Ok(hand_back(Errand::Returned { client }));
        }
        let verdict = self.serve(now, client, packet, Arrival::HandedOver)?;
        let mobile = self.table.client(client).filter(|&key| self.is_mobile(key));
        if let Some(key) = mobile {
            self.note_worker(key, client, sender);
        } else if !client.is_connected() {
            // It is in the directory, and answers leave by this worker's own listener.
            return Ok(verdict);
        }
        match verdict {
            Verdict::Send {
                via: Via::Client(to), ..
            } if to == client => {
                let until = mobile.and_then(|key| self.expires_at(key));
                Ok(hand_back(Errand::ToClient { client, until }))
            }
            Verdict::Send { .. }
            | Verdict::Drop(_)
            | Verdict::Done
            | Verdict::Pending
            | Verdict::Bind { .. }
            | Verdict::HandOver { .. } => Ok(verdict),
        }
    }

    fn redeems_here(&self, packet: &Packet<'_>) -> bool {
        let message = Message::parse(packet.payload());
        message.is_ok_and(|message| self.redeeming_worker(&message) == Some(self.config.share.index()))
    }

    fn pass_on(
        &mut self,
        now: Now,
        sender: u16,
        client: FiveTuple,
        until: Option<Instant>,
    ) -> Result<Verdict, DropReason> {
        if let Some(until) = until
            && self.table.client(client).is_none()
        {
            let is_new = self.routes.owner(now.instant, client).is_none();
            let has_room = self.routes.keep(now.instant, client, sender, until);
            while let Some(outlived) = self.routes.next_outlived() {
                self.hold_connection(outlived, false);
            }
            if !has_room {
                return Err(DropReason::TooManyMoved);
            }
            if is_new {
                self.hold_connection(client, true);
            }
        }
        Ok(Verdict::Send {
            via: Via::Client(client),
            to: client.client,
        })
    }

    /// Hands a datagram of a client to the worker that may hold its allocation.
    pub(crate) fn hand_over(&self, client: FiveTuple, worker: u16) -> Verdict {
        Verdict::Send {
            via: Via::Worker {
                worker,
                errand: Errand::FromClient { client },
            },
            to: client.client,
        }
    }

    fn forget_route(&mut self, client: FiveTuple) {
        if self.routes.forget(client).is_some() {
            self.hold_connection(client, false);
        }
    }

    /// Tells the worker that holds the allocation of a client that its connection is gone.
    pub(crate) fn tell_gone(&mut self, client: FiveTuple) {
        if let Some(worker) = self.routes.forget(client) {
            self.outputs.push_back(Output::Tell {
                worker,
                errand: Errand::Gone { client },
            });
        }
    }

    /// When the last of an allocation's relays expires.
    fn expires_at(&self, key: Key) -> Option<Instant> {
        let relays = self.table.allocation(key)?.relay_ids();
        relays
            .filter_map(|id| self.table.relay(id).map(|relay| relay.expires_at))
            .max()
    }
}
