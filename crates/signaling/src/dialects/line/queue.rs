//! Messages that wait for a connection, bounded in number and in bytes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;

use crate::{dialects::QueueLimits, hub::Clogged};

pub(super) fn queue(limits: QueueLimits) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(limits.messages);
    let waiting = Arc::new(AtomicUsize::new(0));
    let sender = Sender {
        sender,
        waiting: Arc::clone(&waiting),
        bytes: limits.bytes,
    };
    (sender, Receiver { receiver, waiting })
}

pub(super) struct Sender {
    sender: mpsc::Sender<Utf8Bytes>,
    /// Bytes of all that waits.
    waiting: Arc<AtomicUsize>,
    /// The most of them.
    bytes: usize,
}

impl Sender {
    /// Queues a message; a closed queue belongs to a conversation that is about to end.
    pub(super) fn send(&self, text: Utf8Bytes) -> Result<(), Clogged> {
        let bytes = text.len();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let sent = match before + bytes > self.bytes {
            true => Err(Clogged),
            false => match self.sender.try_send(text) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => Err(Clogged),
            },
        };
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        sent
    }
}

pub(super) struct Receiver {
    receiver: mpsc::Receiver<Utf8Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Receiver {
    pub(super) async fn recv(&mut self) -> Option<Utf8Bytes> {
        let text = self.receiver.recv().await;
        self.taken(text)
    }

    pub(super) fn try_recv(&mut self) -> Option<Utf8Bytes> {
        let text = self.receiver.try_recv().ok();
        self.taken(text)
    }

    fn taken(&self, text: Option<Utf8Bytes>) -> Option<Utf8Bytes> {
        let bytes = text.as_ref().map_or(0, |text| text.len());
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: usize) -> Utf8Bytes {
        "x".repeat(bytes).into()
    }

    #[test]
    fn bytes_and_messages_are_bounded_and_what_is_taken_makes_place() {
        let (sender, mut receiver) = queue(QueueLimits {
            messages: 3,
            bytes: 10,
        });
        for _ in 0..5 {
            assert!(sender.send(text(6)).is_ok());
            assert!(sender.send(text(5)).is_err(), "eleven bytes");
            assert!(sender.send(text(4)).is_ok());
            assert!(sender.send(text(0)).is_ok());
            assert!(sender.send(text(0)).is_err(), "four messages");
            assert_eq!(receiver.try_recv(), Some(text(6)));
            assert!(sender.send(text(6)).is_ok());
            while receiver.try_recv().is_some() {}
        }
        drop(receiver);
        assert!(sender.send(text(6)).is_ok(), "nobody is too slow any more");
    }
}
