//! Words for other workers whose rings had no room.

use std::{collections::VecDeque, mem};

use turn_core::Errand;

/// What waits until it can be told. It is not lost where a datagram would be, as a connection might be kept for ever, or an
/// allocation; and what is told a worker stays in order.
#[derive(Debug, Default)]
pub(super) struct Untold(VecDeque<(u16, Errand)>);

impl Untold {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells a worker something, or keeps it, behind what waits for the same worker; `try_to_tell` says whether there was
    /// room.
    pub(super) fn tell(&mut self, worker: u16, errand: Errand, try_to_tell: impl Fn(u16, Errand) -> bool) {
        let waits = self.0.iter().any(|&(other, _)| other == worker);
        if waits || !try_to_tell(worker, errand) {
            self.0.push_back((worker, errand));
        }
    }

    /// Tries once more to tell all that waits.
    pub(super) fn tell_again(&mut self, try_to_tell: impl Fn(u16, Errand) -> bool) {
        for (worker, errand) in mem::take(&mut self.0) {
            self.tell(worker, errand, &try_to_tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use turn_core::{FiveTuple, ListenerId};

    use super::*;

    /// About the client of this port.
    fn word(port: u16) -> Errand {
        let [client, server] = [port, 3478].map(|port| ([127, 0, 0, 1], port).into());
        Errand::Gone {
            client: FiveTuple::udp(ListenerId(0), client, server),
        }
    }

    #[test]
    fn whatever_waits_is_told_in_order_once_there_is_room() {
        let room = Cell::new(0);
        let told = RefCell::new(Vec::new());
        let ring = |worker: u16, errand: Errand| {
            // Worker 2 has room always.
            if worker == 1 {
                if room.get() == 0 {
                    return false;
                }
                room.set(room.get() - 1);
            }
            told.borrow_mut().push((worker, errand));
            true
        };
        let mut untold = Untold::default();
        for port in 1..=3 {
            untold.tell(1, word(port), ring);
        }
        untold.tell(2, word(9), ring);
        untold.tell_again(ring);
        assert_eq!(told.take(), [(2, word(9))]);
        room.set(2);
        untold.tell_again(ring);
        assert_eq!(told.take(), [(1, word(1)), (1, word(2))]);
        room.set(2);
        untold.tell(1, word(4), ring);
        assert_eq!(told.take(), [], "it waits behind the third");
        untold.tell_again(ring);
        assert_eq!(told.take(), [(1, word(3)), (1, word(4))]);
        assert!(untold.is_empty());
    }
}
