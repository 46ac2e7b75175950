//! The way a datagram takes from one worker to another: a bounded ring of buffers, without a lock.
//!
//! With each goes a note: a small value of the caller's own that says what the other worker is to do.

use std::{
    cell::Cell,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
};

use crossbeam_queue::ArrayQueue;
use mio::Waker;
use thiserror::Error;

use crate::{Batch, HEADROOM, HeaderFields, Origin, Slot, buffer::Buffer};

/// Makes the ring into one worker: it holds up to `capacity` datagrams, and `waker` ends its wait.
pub fn handover<N>(capacity: usize, waker: Arc<Waker>) -> (Outbox<N>, Inbox<N>) {
    let ring = Ring {
        spare: ArrayQueue::new(capacity),
        waiting: ArrayQueue::new(capacity),
        asleep: AtomicBool::new(false),
        waker,
    };
    for buffer in Buffer::several(capacity) {
        // The queue was made for just as many.
        let _ = ring.spare.push(buffer);
    }
    let ring = Arc::new(ring);
    (Outbox::of(Arc::clone(&ring)), Inbox { ring })
}

/// The sending end; any number of workers may hold a clone.
///
/// **After a batch, [`Outbox::announce`] it:** only then does a worker wake that waits.
pub struct Outbox<N> {
    ring: Arc<Ring<N>>,
    /// Whether something went in since the last time.
    is_new: Cell<bool>,
}

impl<N> Clone for Outbox<N> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.ring))
    }
}

/// The receiving end, held by one worker.
pub struct Inbox<N> {
    ring: Arc<Ring<N>>,
}

/// The datagram was dropped because the other worker does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the other worker's ring is full")]
pub struct HandoverFull;

struct Ring<N> {
    spare: ArrayQueue<Buffer>,
    waiting: ArrayQueue<Parcel<N>>,
    asleep: AtomicBool,
    waker: Arc<Waker>,
}

struct Parcel<N> {
    buffer: Buffer,
    window: Range<usize>,
    note: N,
}

impl<N> Outbox<N> {
    fn of(ring: Arc<Ring<N>>) -> Self {
        Self {
            ring,
            is_new: Cell::new(false),
        }
    }

    /// Passes a window of `slot` to the other worker, with a note.
    ///
    /// The buffers change places: nothing is copied, and the slot is left with other bytes.
    ///
    /// # Errors
    /// [`HandoverFull`]; the slot is untouched then.
    pub fn hand_over(&self, slot: &mut Slot, window: Range<usize>, note: N) -> Result<(), HandoverFull> {
        let spare = self.spare()?;
        let buffer = std::mem::replace(&mut slot.buffer, spare);
        slot.window = 0..0;
        slot.outgoing = None;
        self.push(Parcel { buffer, window, note });
        Ok(())
    }

    /// Passes a note without a datagram; the other worker gets it with an empty window.
    ///
    /// # Errors
    /// [`HandoverFull`]; the note is lost then.
    pub fn tell(&self, note: N) -> Result<(), HandoverFull> {
        let buffer = self.spare()?;
        let window = HEADROOM..HEADROOM;
        self.push(Parcel { buffer, window, note });
        Ok(())
    }

    /// Wakes the other worker if it waits and something has gone in. One waking for a batch is much cheaper than one for
    /// each of its datagrams.
    pub fn announce(&self) {
        if self.is_new.replace(false) {
            self.ring.wake();
        }
    }

    fn spare(&self) -> Result<Buffer, HandoverFull> {
        let spare = self.ring.spare.pop();
        spare.ok_or_else(|| {
            self.announce();
            HandoverFull
        })
    }

    fn push(&self, parcel: Parcel<N>) {
        // There are as many places as buffers, so whoever got a buffer finds a place.
        let pushed = self.ring.waiting.push(parcel);
        debug_assert!(pushed.is_ok(), "a place for each buffer");
        self.is_new.set(true);
    }
}

impl<N> Inbox<N> {
    /// Moves waiting datagrams into the free slots of `batch` and their notes to the end of `notes`, where
    /// [`Origin::Worker`] finds them. **Clear the notes with the batch.**
    pub fn receive(&self, batch: &mut Batch, notes: &mut Vec<N>) {
        let mut count = 0;
        for slot in batch.free_mut() {
            let Some(parcel) = self.ring.waiting.pop() else {
                break;
            };
            let mut spare = std::mem::replace(&mut slot.buffer, parcel.buffer);
            // Whatever the slot held before, a thousand spare ones must not hold that much.
            spare.shed();
            slot.window = parcel.window;
            slot.origin = Origin::Worker {
                note: notes.len() as u16,
            };
            slot.fields = HeaderFields::default();
            slot.outgoing = None;
            notes.push(parcel.note);
            let returned = self.ring.spare.push(spare);
            debug_assert!(returned.is_ok(), "a place for each buffer");
            count += 1;
        }
        batch.commit(count);
    }

    /// Whether nothing is here at the moment.
    pub fn is_empty(&self) -> bool {
        self.ring.waiting.is_empty()
    }

    /// Says that this worker is about to wait, so that the next datagram has to wake it.
    ///
    /// Returns false when something is here already: **then do not wait.**
    pub fn about_to_wait(&self) -> bool {
        self.ring.asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence in `wake`: either the sender sees `asleep` or this sees its datagram.
        fence(Ordering::SeqCst);
        self.ring.waiting.is_empty()
    }

    /// Says that this worker is awake and will look here before it waits again.
    pub fn awake(&self) {
        self.ring.asleep.store(false, Ordering::Relaxed);
    }
}

impl<N> Ring<N> {
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            // It fails only when the counter behind it is full, and then it is already signalled.
            let _ = self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use mio::{Events, Poll, Token};

    use super::*;

    fn ring(capacity: usize) -> (Poll, Outbox<&'static str>, Inbox<&'static str>) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (outbox, inbox) = handover(capacity, waker);
        (poll, outbox, inbox)
    }

    fn slot(bytes: &[u8]) -> Slot {
        let mut slot = Slot::new(Buffer::several(1).remove(0));
        slot.buffer[48..48 + bytes.len()].copy_from_slice(bytes);
        slot
    }

    #[test]
    fn a_datagram_arrives_with_its_window_and_each_with_its_own_note() {
        let (_poll, outbox, inbox) = ring(2);
        outbox.hand_over(&mut slot(b"hello"), 48..53, "greeting").unwrap();
        outbox.tell("word").unwrap();

        let (mut batch, mut notes) = (Batch::new(4), Vec::new());
        assert!(!inbox.is_empty());
        inbox.receive(&mut batch, &mut notes);
        assert!(inbox.is_empty());
        let [hello, nothing] = batch.filled() else {
            panic!("two slots")
        };
        assert_eq!((hello.payload(), hello.window()), (&b"hello"[..], 48..53));
        assert_eq!(nothing.payload(), b"");
        let origins = [hello.origin(), nothing.origin()];
        assert_eq!(origins, [0, 1].map(|note| Origin::Worker { note }));
        assert_eq!(notes, ["greeting", "word"]);
    }

    #[test]
    fn a_full_ring_refuses_and_takes_again_once_emptied() {
        let (_poll, outbox, inbox) = ring(2);
        let mut third = slot(b"3");
        outbox.hand_over(&mut slot(b"1"), 48..49, "").unwrap();
        outbox.hand_over(&mut slot(b"2"), 48..49, "").unwrap();
        assert_eq!(outbox.hand_over(&mut third, 48..49, ""), Err(HandoverFull));
        assert_eq!(outbox.tell(""), Err(HandoverFull));

        let (mut batch, mut notes) = (Batch::new(1), Vec::new());
        inbox.receive(&mut batch, &mut notes);
        assert_eq!(batch.filled()[0].payload(), b"1");
        outbox.hand_over(&mut third, 48..49, "").unwrap();
        batch.clear();
        inbox.receive(&mut batch, &mut notes);
        assert_eq!(batch.filled()[0].payload(), b"2");
    }

    #[test]
    fn a_worker_that_waits_is_woken_and_one_that_has_mail_does_not_wait() {
        let (mut poll, outbox, inbox) = ring(2);
        assert!(inbox.about_to_wait());
        let sender = thread::spawn(move || {
            outbox.hand_over(&mut slot(b"1"), 48..49, "").unwrap();
            outbox.hand_over(&mut slot(b"2"), 48..49, "").unwrap();
            outbox.announce();
        });
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert_eq!(events.iter().count(), 1, "one waking for both");
        sender.join().unwrap();
        assert!(!inbox.about_to_wait());
    }

    #[test]
    fn a_full_ring_is_announced_and_an_empty_announcement_wakes_nobody() {
        let (mut poll, outbox, inbox) = ring(1);
        let mut events = Events::with_capacity(4);
        let mut woken = || {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().count()
        };
        assert!(inbox.about_to_wait());
        outbox.announce();
        assert_eq!(woken(), 0);
        outbox.tell("").unwrap();
        assert_eq!(woken(), 0);
        assert_eq!(outbox.tell(""), Err(HandoverFull));
        assert_eq!(woken(), 1);
    }

    #[test]
    fn many_senders_lose_only_what_was_refused() {
        let (_poll, outbox, inbox) = ring(8);
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let outbox = outbox.clone();
                thread::spawn(move || {
                    let mut slot = slot(b"x");
                    (0..2_000)
                        .filter(|_| outbox.hand_over(&mut slot, 48..49, "").is_ok())
                        .count()
                })
            })
            .collect();
        let (mut batch, mut notes) = (Batch::new(4), Vec::new());
        let mut received = 0;
        while !senders.iter().all(thread::JoinHandle::is_finished) || !inbox.about_to_wait() {
            notes.clear();
            inbox.receive(&mut batch, &mut notes);
            received += batch.filled().len();
            batch.clear();
            thread::yield_now();
        }
        let sent: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        assert_eq!(received, sent);
        assert!(sent >= 8, "{sent}");
    }
}
