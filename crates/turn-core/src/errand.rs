//! What the workers of one server hand to each other.

use std::net::SocketAddr;

use crate::{header_fields::HeaderFields, output::Verdict, packet::Packet, server::Server, types::Now};

/// Says what a datagram is that another worker handed over, and so what is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// One relay of this server sent it to another, whose port may be this worker's.
    Hairpin {
        /// The relayed transport address it comes from.
        from: SocketAddr,
        /// The relayed transport address it goes to.
        to: SocketAddr,
        /// The IP header it would have if it had gone through a socket.
        fields: HeaderFields,
    },
}

impl Server {
    /// Takes a datagram that another worker handed over by [`Via::Worker`](crate::Via::Worker).
    pub fn handle_errand(&mut self, now: Now, errand: Errand, packet: &mut Packet<'_>) -> Verdict {
        let verdict = match errand {
            Errand::Hairpin { from, to, fields } => {
                packet.fields = fields;
                self.relay_hairpin(now, from, to, packet)
            }
        };
        self.settle(verdict)
    }
}
