//! Buffers that connections borrow while something is unfinished, so that idle ones hold none.

/// Buffers of either size kept for the next who needs one.
const KEPT: usize = 32;
/// A small one holds no more.
const SMALL: usize = 8 << 10;
/// One that grew beyond this is given back to the system.
const KEPT_CAPACITY: usize = 64 << 10;

/// Empty buffers that have their memory already.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

impl Pool {
    /// An empty buffer; one that somebody has made large only for clients who have an allocation (`held`), as others may
    /// keep theirs for a few bytes.
    pub(crate) fn take(&mut self, held: bool) -> Vec<u8> {
        let large = if held { self.large.pop() } else { None };
        large.or_else(|| self.small.pop()).unwrap_or_default()
    }

    /// Takes a buffer back, whatever is in it.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let worth = (1..=KEPT_CAPACITY).contains(&buffer.capacity());
        let spare = match buffer.capacity() {
            ..=SMALL => &mut self.small,
            _ => &mut self.large,
        };
        if worth && spare.len() < KEPT {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_empty_and_bounded() {
        let mut pool = Pool::default();
        pool.give_back(vec![1, 2, 3]);
        let buffer = pool.take(true);
        assert!(buffer.is_empty() && buffer.capacity() >= 3);
        pool.give_back(Vec::with_capacity(KEPT_CAPACITY + 1));
        pool.give_back(Vec::new());
        assert_eq!((pool.small.len(), pool.large.len()), (0, 0));
        (0..2 * KEPT).for_each(|_| pool.give_back(vec![0]));
        assert_eq!((pool.small.len(), pool.large.len()), (KEPT, 0));
    }

    #[test]
    fn whoever_has_no_allocation_gets_no_large_buffer() {
        let mut pool = Pool::default();
        pool.give_back(vec![0; SMALL + 1]);
        assert_eq!(pool.take(false).capacity(), 0);
        pool.give_back(vec![0; SMALL]);
        assert_eq!(pool.take(false).capacity(), SMALL);
        assert_eq!(pool.take(true).capacity(), SMALL + 1);
    }
}
