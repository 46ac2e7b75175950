//! How clients of different kinds speak to the same rooms.

pub(crate) mod peerjs;
pub(crate) mod socket_io;
pub(crate) mod web_socket;
pub(crate) mod y_webrtc;

mod any;
mod classic;
mod event;
mod line;
mod request;
mod session;

#[cfg(test)]
pub(crate) use self::{
    event::Event,
    request::Envelope,
    session::{Session, Sink},
};

pub(crate) use self::any::any_message;

use std::{sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

use crate::{config::Config, hub::Hub};

/// What every connection needs, whatever it speaks.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) hub: Arc<Hub>,
    /// Bytes a message may have.
    pub(crate) message_bytes: usize,
    /// Members of a room of the room protocol.
    pub(crate) capacity: usize,
    /// Members of a room of classic samples.
    pub(crate) classic_capacity: usize,
    pub(crate) queue: QueueLimits,
    pub(crate) ping: Duration,
    pub(crate) resume_seconds: u64,
    pub(crate) tasks: TaskTracker,
}

/// The most that waits for a slow receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Context {
    pub(crate) fn new(hub: Arc<Hub>, config: &Config, tasks: TaskTracker) -> Self {
        let limits = &config.limits;
        Self {
            hub,
            message_bytes: limits.message_bytes,
            capacity: config.rooms.capacity,
            classic_capacity: config.classic.capacity,
            queue: QueueLimits {
                messages: limits.outgoing_messages,
                bytes: limits.outgoing_bytes,
            },
            ping: Duration::from_secs(limits.ping_seconds),
            resume_seconds: config.resume.seconds,
            tasks,
        }
    }
}
