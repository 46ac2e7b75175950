//! Peers that connect to a relay.

use std::{
    io, mem,
    time::{Duration, Instant},
};

use datagram_io::{Readiness, SocketId};

use super::{Happening, Peers};
use crate::stream::Stream;

/// Connections taken in one turn of a relay.
const AT_ONCE: usize = 16;

/// How long a relay rests when the system has no descriptor or memory: its peers wait in the kernel meanwhile.
const REST: Duration = Duration::from_millis(250);

impl Peers {
    /// Tells when [`Peers::serve`] wants to be called next although nothing was noted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let tenants = self.relays.iter().filter_map(|place| place.tenant.as_ref());
        if self.resting == 0 {
            return None;
        }
        tenants.filter_map(|relay| relay.resumes_at).min()
    }

    pub(super) fn serve_relays(&mut self, now: Instant) {
        self.wake_relays(now);
        let mut ready = mem::take(&mut self.ready_relays);
        ready.visit(|index| self.accept(index, now));
        self.ready_relays = ready;
    }

    fn accept(&mut self, index: u32, now: Instant) -> Readiness {
        let Some(place) = self.relays.get_mut(index as usize) else {
            return Readiness::Drained;
        };
        let Some(relay) = &mut place.tenant else {
            return Readiness::Drained;
        };
        let id = SocketId {
            index,
            generation: place.generation,
        };
        for _ in 0..AT_ONCE {
            match relay.io.accept() {
                Ok((stream, from)) => self.happenings.push_back(Happening::Arrived {
                    relay: id,
                    from,
                    stream: Stream::from_fd(stream),
                }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Readiness::Drained,
                Err(error) if is_exhaustion(&error) => {
                    // No event will tell when descriptors are free.
                    self.resting += usize::from(relay.resumes_at.replace(now + REST).is_none());
                    return Readiness::Drained;
                }
                // The peer went away while it waited, or a signal came.
                Err(_) => {}
            }
        }
        Readiness::More
    }

    fn wake_relays(&mut self, now: Instant) {
        if self.resting == 0 {
            return;
        }
        for (index, place) in self.relays.iter_mut().enumerate() {
            let Some(relay) = &mut place.tenant else { continue };
            if relay.resumes_at.take_if(|at| *at <= now).is_some() {
                self.resting -= 1;
                self.ready_relays.add(index as u32);
            }
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}
