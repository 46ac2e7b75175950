//! Whose turn it is: a round in which nobody is served twice.

use std::collections::VecDeque;

/// Indexes of what may have something to do, each at most once, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    order: VecDeque<u32>,
    listed: Vec<bool>,
}

impl Turns {
    /// Adds one at the end, unless it is waiting already.
    pub(crate) fn add(&mut self, index: u32) {
        let place = index as usize;
        if self.listed.len() <= place {
            self.listed.resize(place + 1, false);
        }
        if !self.listed[place] {
            self.listed[place] = true;
            self.order.push_back(index);
        }
    }

    /// Takes the first out.
    pub(crate) fn next(&mut self) -> Option<u32> {
        let index = self.order.pop_front()?;
        self.listed[index as usize] = false;
        Some(index)
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_once_and_behind_those_who_came_before() {
        let mut turns = Turns::default();
        for index in [3, 1, 3, 2] {
            turns.add(index);
        }
        assert_eq!(turns.next(), Some(3));
        turns.add(3);
        assert_eq!(
            [turns.next(), turns.next(), turns.next(), turns.next()],
            [Some(1), Some(2), Some(3), None]
        );
        assert_eq!(turns.len(), 0);
    }
}
