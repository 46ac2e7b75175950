//! The way a datagram takes from one worker to another: a bounded ring of buffers, without a lock.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
};

use crossbeam_queue::ArrayQueue;
use mio::Waker;
use thiserror::Error;

use crate::{Batch, Origin, Slot, buffer::Buffer};

/// Makes the ring into one worker: it holds up to `capacity` datagrams, and `waker` ends its wait.
pub fn handover(capacity: usize, waker: Arc<Waker>) -> (Outbox, Inbox) {
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
    (
        Outbox {
            ring: Arc::clone(&ring),
        },
        Inbox { ring },
    )
}

/// The sending end; any number of workers may hold a clone.
#[derive(Clone)]
pub struct Outbox {
    ring: Arc<Ring>,
}

/// The receiving end, held by one worker.
pub struct Inbox {
    ring: Arc<Ring>,
}

/// The datagram was dropped because the other worker does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the other worker's ring is full")]
pub struct HandoverFull;

struct Ring {
    spare: ArrayQueue<Buffer>,
    waiting: ArrayQueue<Parcel>,
    asleep: AtomicBool,
    waker: Arc<Waker>,
}

struct Parcel {
    buffer: Buffer,
    window: Range<usize>,
    source: SocketAddr,
    destination: SocketAddr,
}

impl Outbox {
    /// Passes a window of `slot` to the other worker, which sees it as sent by `from` to `to`.
    ///
    /// The buffers change places: nothing is copied, and the slot is left with other bytes.
    ///
    /// # Errors
    /// [`HandoverFull`]; the slot is untouched then.
    pub fn hand_over(
        &self,
        slot: &mut Slot,
        window: Range<usize>,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<(), HandoverFull> {
        let spare = self.ring.spare.pop().ok_or(HandoverFull)?;
        let buffer = std::mem::replace(&mut slot.buffer, spare);
        slot.window = 0..0;
        slot.outgoing = None;
        let parcel = Parcel {
            buffer,
            window,
            source: from,
            destination: to,
        };
        // There are as many places as buffers, so whoever got a buffer finds a place.
        let pushed = self.ring.waiting.push(parcel);
        debug_assert!(pushed.is_ok(), "a place for each buffer");
        self.ring.wake();
        Ok(())
    }
}

impl Inbox {
    /// Moves waiting datagrams into the free slots of `batch`; their origin is [`Origin::Worker`].
    pub fn receive(&self, batch: &mut Batch) {
        let mut count = 0;
        for slot in batch.free_mut() {
            let Some(parcel) = self.ring.waiting.pop() else {
                break;
            };
            let spare = std::mem::replace(&mut slot.buffer, parcel.buffer);
            slot.window = parcel.window;
            slot.origin = Origin::Worker;
            slot.source = parcel.source;
            slot.destination = parcel.destination;
            slot.outgoing = None;
            let returned = self.ring.spare.push(spare);
            debug_assert!(returned.is_ok(), "a place for each buffer");
            count += 1;
        }
        batch.commit(count);
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

impl Ring {
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

    fn ring(capacity: usize) -> (Poll, Outbox, Inbox) {
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

    const FROM: &str = "192.0.2.1:1000";
    const TO: &str = "192.0.2.2:2000";

    #[test]
    fn a_datagram_arrives_with_its_addresses_and_its_window() {
        let (_poll, outbox, inbox) = ring(2);
        outbox
            .hand_over(
                &mut slot(b"hello"),
                48..53,
                FROM.parse().unwrap(),
                TO.parse().unwrap(),
            )
            .unwrap();

        let mut batch = Batch::new(4);
        inbox.receive(&mut batch);
        let [received] = batch.filled() else {
            panic!("one datagram")
        };
        assert_eq!(received.payload(), b"hello");
        assert_eq!(received.window(), 48..53);
        assert_eq!(received.origin(), Origin::Worker);
        assert_eq!(received.source(), FROM.parse().unwrap());
        assert_eq!(received.destination(), TO.parse().unwrap());
    }

    #[test]
    fn a_full_ring_refuses_and_takes_again_once_emptied() {
        let (_poll, outbox, inbox) = ring(2);
        let (from, to) = (FROM.parse().unwrap(), TO.parse().unwrap());
        let mut third = slot(b"3");
        outbox.hand_over(&mut slot(b"1"), 48..49, from, to).unwrap();
        outbox.hand_over(&mut slot(b"2"), 48..49, from, to).unwrap();
        assert_eq!(outbox.hand_over(&mut third, 48..49, from, to), Err(HandoverFull));

        let mut batch = Batch::new(1);
        inbox.receive(&mut batch);
        assert_eq!(batch.filled()[0].payload(), b"1");
        outbox.hand_over(&mut third, 48..49, from, to).unwrap();
        batch.clear();
        inbox.receive(&mut batch);
        assert_eq!(batch.filled()[0].payload(), b"2");
    }

    #[test]
    fn a_worker_that_waits_is_woken_and_one_that_has_mail_does_not_wait() {
        let (mut poll, outbox, inbox) = ring(2);
        let (from, to) = (FROM.parse().unwrap(), TO.parse().unwrap());
        assert!(inbox.about_to_wait());
        let sender = thread::spawn(move || outbox.hand_over(&mut slot(b"1"), 48..49, from, to));
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        assert_eq!(events.iter().count(), 1);
        sender.join().unwrap().unwrap();
        assert!(!inbox.about_to_wait());
    }

    #[test]
    fn many_senders_lose_only_what_was_refused() {
        let (_poll, outbox, inbox) = ring(8);
        let (from, to): (SocketAddr, SocketAddr) = (FROM.parse().unwrap(), TO.parse().unwrap());
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let outbox = outbox.clone();
                thread::spawn(move || {
                    let mut slot = slot(b"x");
                    (0..2_000)
                        .filter(|_| outbox.hand_over(&mut slot, 48..49, from, to).is_ok())
                        .count()
                })
            })
            .collect();
        let mut batch = Batch::new(4);
        let mut received = 0;
        while !senders.iter().all(thread::JoinHandle::is_finished) || !inbox.about_to_wait() {
            inbox.receive(&mut batch);
            received += batch.filled().len();
            batch.clear();
            thread::yield_now();
        }
        let sent: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        assert_eq!(received, sent);
        assert!(sent >= 8, "{sent}");
    }
}
