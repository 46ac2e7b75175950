//! Buffers cut from one large piece of memory, whose pages become resident only when a datagram touches them.
//!
//! Allocated one by one, the allocator would clear them by writing and so make all of them resident at once.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
    sync::Arc,
};

/// Bytes of one buffer: headroom and the longest UDP payload, 65,527 bytes over IPv6.
///
/// It is an odd multiple of a cache line, so that the buffers' first bytes do not share cache sets.
pub const SLOT_CAPACITY: usize = 66_112;

/// [`SLOT_CAPACITY`] zero bytes at first; they can change places with another buffer without being copied.
pub(crate) struct Buffer {
    first: NonNull<u8>,
    /// How far it was written since it last gave memory back; what lies beyond may not be resident.
    written: usize,
    /// Keeps the memory.
    _piece: Arc<Piece>,
}

impl Buffer {
    /// Makes `count` buffers.
    pub(crate) fn several(count: usize) -> Vec<Self> {
        let memory = vec![0_u8; count * SLOT_CAPACITY].into_boxed_slice();
        let piece = Arc::new(Piece {
            memory: Box::into_raw(memory),
        });
        let start = piece.memory.cast::<u8>();
        (0..count)
            .map(|index| {
                // SAFETY: `index < count`, so the result lies within the piece, and is not null.
                let first = unsafe { NonNull::new_unchecked(start.add(index * SLOT_CAPACITY)) };
                Self {
                    first,
                    written: 0,
                    _piece: Arc::clone(&piece),
                }
            })
            .collect()
    }

    /// Notes that it was written so far.
    pub(crate) fn note_written(&mut self, end: usize) {
        self.written = self.written.max(end);
    }

    /// Gives back the memory of large datagrams, so that a buffer that waits holds what common ones need. The bytes are
    /// lost.
    pub(crate) fn shed(&mut self) {
        if self.written > KEPT {
            #[cfg(target_os = "linux")]
            crate::linux::give_back(&mut self[KEPT..]);
            self.written = 0;
        }
    }
}

/// Bytes that a waiting buffer keeps: datagrams of an Ethernet's length, jumbo frames too but for their ends.
pub(crate) const KEPT: usize = 2 * 4096;

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: these bytes belong to this buffer alone, are initialised, and live as long as the piece.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), SLOT_CAPACITY) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` makes this the only borrow of them.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), SLOT_CAPACITY) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").finish_non_exhaustive()
    }
}

// SAFETY: a buffer owns its bytes as a `Box<[u8]>` would; nothing ties them to a thread.
unsafe impl Send for Buffer {}
// SAFETY: through `&Buffer` the bytes can only be read.
unsafe impl Sync for Buffer {}

/// The memory of several buffers; freed with the last of them.
struct Piece {
    memory: *mut [u8],
}

// SAFETY: a piece only owns the memory; all access to it goes through buffers, each to its own part.
unsafe impl Send for Piece {}
// SAFETY: as for `Send`: a shared piece gives no access.
unsafe impl Sync for Piece {}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: `memory` came from `Box::into_raw` and no buffer is left that points into it.
        drop(unsafe { Box::from_raw(self.memory) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_overlap_and_outlive_each_other() {
        let mut buffers = Buffer::several(3);
        for (index, buffer) in buffers.iter_mut().enumerate() {
            assert!(buffer.iter().all(|byte| *byte == 0));
            buffer.fill(index as u8 + 1);
        }
        let last = buffers.pop().unwrap();
        assert!(buffers[0].iter().all(|byte| *byte == 1) && buffers[1].iter().all(|byte| *byte == 2));
        drop(buffers);
        assert!(last.iter().all(|byte| *byte == 3));
    }

    /// Pages of this process that are resident.
    #[cfg(target_os = "linux")]
    fn resident() -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_large_datagrams_made_resident_is_given_back_and_neighbours_keep_theirs() {
        let mut buffers = Buffer::several(256);
        let empty = resident();
        for buffer in &mut buffers {
            buffer.fill(7);
            buffer.note_written(SLOT_CAPACITY);
        }
        assert!(resident() > empty + 200 * 16, "16 pages each");
        for buffer in buffers.iter_mut().step_by(2) {
            buffer.shed();
        }
        assert!(
            resident() < empty + 256 * 10,
            "half of them are back but for three pages each"
        );
        assert!(
            buffers
                .iter()
                .skip(1)
                .step_by(2)
                .all(|buffer| buffer.iter().all(|byte| *byte == 7))
        );
        let common = &mut buffers[1];
        common.written = KEPT;
        common.shed();
        assert!(common.iter().all(|byte| *byte == 7), "nothing to give back");
    }
}
