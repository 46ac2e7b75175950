//! A window over the caller's buffer: relaying moves its edges and leaves the payload where it is.
//!
//! ```text
//! buffer: | headroom ....... | payload ............... | tailroom |
//!         0                start                       end       buffer.len()
//! ```

use std::ops::Range;

use crate::header_fields::HeaderFields;

/// Bytes in front of a received datagram that the longest header put there needs: a Data indication's
/// header 20, XOR-PEER-ADDRESS of an IPv6 peer 24, the head of DATA 4.
pub const HEADROOM: usize = 48;

/// Holds one datagram: in, then out, in the same buffer.
///
/// The buffer should hold at least 2048 bytes, or the datagram with [`HEADROOM`] before and three bytes
/// after it, whichever is more. A smaller one costs a [`NoRoom`](crate::DropReason::NoRoom) drop.
#[derive(Debug)]
pub struct Packet<'a> {
    buffer: &'a mut [u8],
    start: usize,
    end: usize,
    /// Of the received IP header first, then of the one to be sent.
    pub(crate) fields: HeaderFields,
}

impl<'a> Packet<'a> {
    /// Opens the window on the `len` bytes that begin at `start`.
    ///
    /// # Panics
    ///
    /// When they do not lie within `buffer`.
    pub fn new(buffer: &'a mut [u8], start: usize, len: usize) -> Self {
        let end = start.checked_add(len).filter(|&end| end <= buffer.len());
        assert!(
            end.is_some(),
            "{len} bytes at {start} exceed the buffer of {}",
            buffer.len()
        );
        Self {
            start,
            end: start + len,
            buffer,
            fields: HeaderFields::default(),
        }
    }

    /// Adds what the IP header of the datagram said.
    pub fn with_fields(mut self, fields: HeaderFields) -> Self {
        self.fields = fields;
        self
    }

    /// Tells what the IP header is to say that the datagram leaves with.
    pub fn fields(&self) -> HeaderFields {
        self.fields
    }

    /// Shows the bytes in the window.
    pub fn payload(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Tells where in the buffer the window lies.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Narrows the window to `part`, counted from its present start.
    pub(crate) fn narrow(&mut self, part: Range<usize>) {
        debug_assert!(part.start <= part.end && part.end <= self.end - self.start);
        self.end = self.start + part.end;
        self.start += part.start;
    }

    /// Widens the window by `n` bytes at its front and shows them, or leaves it if there is no room.
    pub(crate) fn grow_front(&mut self, n: usize) -> Option<&mut [u8]> {
        self.start = self.start.checked_sub(n)?;
        Some(&mut self.buffer[self.start..self.start + n])
    }

    /// Widens the window by `n` zero bytes at its end, or leaves it and tells `false`.
    pub(crate) fn pad(&mut self, n: usize) -> bool {
        let Some(room) = self.buffer.get_mut(self.end..self.end + n) else {
            return false;
        };
        room.fill(0);
        self.end += n;
        true
    }

    /// Lets `write` fill the whole buffer from its start, and puts the window on what it wrote.
    pub(crate) fn replace<E>(&mut self, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<(), E> {
        let len = write(self.buffer)?;
        (self.start, self.end) = (0, len);
        self.fields = HeaderFields::default();
        Ok(())
    }

    /// Lets `answer` replace the bytes in the window, given the buffer from there on and their number, and
    /// ends the window where the answer ends.
    pub(crate) fn answer_in_place<E>(
        &mut self,
        answer: impl FnOnce(&mut [u8], usize) -> Result<usize, E>,
    ) -> Result<(), E> {
        let len = self.end - self.start;
        self.end = self.start + answer(&mut self.buffer[self.start..], len)?;
        self.fields = HeaderFields::default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves_over_bytes_that_stay() {
        let mut buffer = *b"....headpayload!....";
        let mut packet = Packet::new(&mut buffer, 4, 12);
        packet.narrow(4..11);
        assert_eq!(packet.payload(), b"payload");
        packet.grow_front(2).unwrap().copy_from_slice(b"<<");
        assert!(packet.pad(1));
        assert_eq!(packet.payload(), b"<<payload\0");
        assert_eq!(packet.range(), 6..16);
    }

    #[test]
    fn without_room_the_window_stays() {
        let mut buffer = *b"..xx.";
        let mut packet = Packet::new(&mut buffer, 2, 2);
        assert!(packet.grow_front(3).is_none());
        assert!(!packet.pad(2));
        assert_eq!(packet.payload(), b"xx");
    }

    #[test]
    #[should_panic(expected = "3 bytes at 2 exceed the buffer of 4")]
    fn a_window_beyond_the_buffer_is_the_callers_mistake() {
        let _ = Packet::new(&mut [0; 4], 2, 3);
    }
}
