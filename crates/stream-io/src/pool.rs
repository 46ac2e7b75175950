//! Buffers that connections borrow while something is unfinished, so that idle ones hold none.

/// Buffers kept for the next who needs one.
const KEPT: usize = 32;
/// One that grew beyond this is given back to the system.
const KEPT_CAPACITY: usize = 64 << 10;

/// Empty buffers that have their memory already.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    spare: Vec<Vec<u8>>,
}

impl Pool {
    /// An empty buffer.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a buffer back, whatever is in it.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let worth = (1..=KEPT_CAPACITY).contains(&buffer.capacity());
        if worth && self.spare.len() < KEPT {
            buffer.clear();
            self.spare.push(buffer);
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
        let buffer = pool.take();
        assert!(buffer.is_empty() && buffer.capacity() >= 3);
        pool.give_back(Vec::with_capacity(KEPT_CAPACITY + 1));
        pool.give_back(Vec::new());
        assert_eq!(pool.spare.len(), 0);
        (0..2 * KEPT).for_each(|_| pool.give_back(vec![0]));
        assert_eq!(pool.spare.len(), KEPT);
    }
}
