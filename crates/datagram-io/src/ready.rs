//! The sockets a worker still has to look at.

use crate::Readiness;

/// Sockets by index, each at most once, in the order they became ready.
///
/// A socket that was left with datagrams in it stays, as `mio` names it only once; when `mio` names it again
/// because more came, it is still here once, so that no socket gets more turns than another.
#[derive(Debug, Default)]
pub struct ReadyList {
    order: Vec<u32>,
    listed: Vec<bool>,
}

impl ReadyList {
    /// Adds a socket, unless it is there.
    pub fn add(&mut self, index: u32) {
        let place = index as usize;
        if self.listed.len() <= place {
            self.listed.resize(place + 1, false);
        }
        if !self.listed[place] {
            self.listed[place] = true;
            self.order.push(index);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Looks at each socket once; those that `look` finds to hold [`Readiness::More`] stay.
    pub fn visit(&mut self, mut look: impl FnMut(u32) -> Readiness) {
        let listed = &mut self.listed;
        self.order.retain(|&index| {
            let stays = look(index) == Readiness::More;
            listed[index as usize] = stays;
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_gets_one_turn_however_often_it_is_named() {
        let mut ready = ReadyList::default();
        for index in [3, 1, 3, 3] {
            ready.add(index);
        }
        for _ in 0..3 {
            ready.add(3);
            let mut turns = Vec::new();
            ready.visit(|index| {
                turns.push(index);
                if index == 3 {
                    Readiness::More
                } else {
                    Readiness::Drained
                }
            });
            assert_eq!(turns.iter().filter(|index| **index == 3).count(), 1);
        }
        ready.visit(|_| Readiness::Drained);
        assert!(ready.is_empty());
        ready.add(3);
        assert!(!ready.is_empty());
    }
}
