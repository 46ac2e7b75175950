//! Whatever a connection can do now: be connected, carry bytes, end.

use std::{mem, time::Instant};

use datagram_io::{Readiness, SocketId};

use super::{Happening, Peers, State};
use crate::flow::Step;

/// Bytes carried before others than peers have their turn, in all.
const ROUND: u64 = 1 << 20;
/// What a turn costs of it beside its bytes.
const EACH: u64 = 4 << 10;

impl Peers {
    /// Gives those who can do something a turn each, until about a megabyte was carried. The others stay ready, and so
    /// does who can do more; he comes after them.
    pub fn serve(&mut self, now: Instant) {
        self.serve_relays(now);
        let mut ready = mem::take(&mut self.ready_peers);
        let mut again = mem::take(&mut self.again);
        let mut left = ROUND;
        ready.visit(|index| {
            if left == 0 {
                return Readiness::More;
            }
            if self.serve_peer(index, &mut left) == Readiness::More {
                again.push(index);
            }
            Readiness::Drained
        });
        again.drain(..).for_each(|index| ready.add(index));
        self.again = again;
        self.ready_peers = ready;
    }

    fn serve_peer(&mut self, index: u32, left: &mut u64) -> Readiness {
        *left = left.saturating_sub(EACH);
        let Some(place) = self.peers.get_mut(index as usize) else {
            return Readiness::Drained;
        };
        let Some(peer) = &mut place.tenant else {
            return Readiness::Drained;
        };
        let id = SocketId {
            index,
            generation: place.generation,
        };
        match &mut peer.state {
            State::Connecting => {
                if let Some(succeeded) = peer.side.io.connected() {
                    peer.state = State::Waiting;
                    self.connected(id, succeeded);
                }
            }
            State::Waiting if peer.is_broken => self.end(id),
            State::Waiting => {}
            State::Joined(joint) => {
                let turn = joint.carry(&mut peer.side, &mut self.tools);
                let is_broken = peer.is_broken;
                match turn {
                    Ok(turn) => {
                        for (sum, taken) in self.taken.iter_mut().zip(turn.taken) {
                            *sum += taken;
                            *left = left.saturating_sub(taken);
                        }
                        match turn.step {
                            Step::More => return Readiness::More,
                            Step::Blocked if !is_broken => {}
                            Step::Blocked | Step::Finished => self.end(id),
                        }
                    }
                    Err(_) => self.end(id),
                }
            }
        }
        Readiness::Drained
    }

    fn connected(&mut self, peer: SocketId, succeeded: bool) {
        if !succeeded {
            self.close(peer);
        }
        self.happenings
            .push_back(Happening::Connected { peer, succeeded });
    }

    fn end(&mut self, peer: SocketId) {
        self.close(peer);
        self.happenings.push_back(Happening::Ended { peer });
    }
}
