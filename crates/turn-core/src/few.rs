//! A list that most often holds one item: the first lies in place, where no further cache line is needed for it.

use std::{iter::Chain, mem, option, slice};

/// Holds items in the order they were added.
#[derive(Debug)]
pub(crate) struct Few<T> {
    first: Option<T>,
    /// Empty while there is no first.
    more: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: None,
            more: Vec::new(),
        }
    }
}

impl<T> Few<T> {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.more)
    }

    pub(crate) fn iter_mut(&mut self) -> Chain<option::IterMut<'_, T>, slice::IterMut<'_, T>> {
        self.first.iter_mut().chain(&mut self.more)
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.more.capacity()
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.more.push(item);
        }
    }

    /// Forgets all but the first `len` items.
    pub(crate) fn truncate(&mut self, len: usize) {
        match len.checked_sub(1) {
            None => *self = Self::default(),
            Some(more) => self.more.truncate(more),
        }
    }

    /// Keeps the items that `keeps` says so of, in their order.
    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&T) -> bool) {
        let stays = self.first.as_ref().is_none_or(&mut keeps);
        self.more.retain(keeps);
        if !stays {
            let mut more = mem::take(&mut self.more).into_iter();
            self.first = more.next();
            self.more = more.collect();
        }
        if self.more.is_empty() {
            // Most often it was never there.
            self.more = Vec::new();
        }
    }
}

#[cfg(test)]
impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::default();
        items.into_iter().for_each(|item| few.push(item));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(few: &Few<u8>) -> Vec<u8> {
        few.iter().copied().collect()
    }

    #[test]
    fn it_behaves_as_a_list_does_whichever_item_goes() {
        for gone in 0..5 {
            let mut few: Few<u8> = (0..5).collect();
            assert_eq!(few.len(), 5);
            few.retain(|&number| number != gone);
            let rest: Vec<_> = (0..5).filter(|&number| number != gone).collect();
            assert_eq!(numbers(&few), rest);
        }
        let mut few: Few<u8> = (0..5).collect();
        few.iter_mut().for_each(|number| *number *= 2);
        few.retain(|&number| number > 6);
        assert_eq!(numbers(&few), [8]);
        few.push(9);
        assert_eq!(numbers(&few), [8, 9]);
        few.retain(|_| false);
        assert_eq!((few.len(), few.iter().next()), (0, None));
    }

    #[test]
    fn truncating_keeps_the_first_ones() {
        for len in 0..4 {
            let mut few: Few<u8> = (0..3).collect();
            few.truncate(len);
            assert_eq!(numbers(&few), (0..3.min(len as u8)).collect::<Vec<_>>());
        }
    }
}
