//! The end of connections, asked for or not.

use std::time::Instant;

use super::{Ended, Streams, Who};
use crate::Ending;

impl Streams {
    /// Sends what [`Streams::send`] was given and closes what is to be closed.
    pub fn finish(&mut self) {
        self.flush();
        while let Some(index) = self.leaving.pop() {
            self.close(index);
        }
    }

    /// Gives a connection that is gone, so that its allocation can end.
    pub fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// Closes connections whose time is over; call [`Streams::finish`] afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, sleeper)) = self.deadlines.due(now) {
            let index = match self.who(sleeper.index) {
                Who::Listener(listener) => {
                    self.resume(listener, at);
                    continue;
                }
                Who::Connection(index) => index,
            };
            let Some((id, connection)) = self.places.at(index) else {
                continue;
            };
            if id.generation != sleeper.generation || connection.wakes_at != Some(at) {
                continue;
            }
            connection.wakes_at = None;
            match connection.deadline(&self.reception.limits) {
                Some((at, ending)) if at <= now => self.leave(index, ending),
                Some(_) | None => self.schedule(index),
            }
        }
    }

    /// Marks a connection to be closed by the next [`Streams::finish`].
    pub(super) fn leave(&mut self, index: u32, ending: Ending) {
        let Some((_, connection)) = self.places.at(index) else {
            return;
        };
        if connection.ending.is_none() {
            connection.ending = Some(ending);
            self.leaving.push(index);
        }
    }

    fn close(&mut self, index: u32) {
        let Some((id, mut connection)) = self.places.remove(index) else {
            return;
        };
        let ending = connection.ending.unwrap_or(Ending::Reset);
        super::tls::say_goodbye(&mut connection);
        // Closing the descriptor also takes it out of the poll; a failure here changes nothing.
        let _ = self.registry.deregister(&mut connection.io);
        self.counters.open[usize::from(connection.is_secure())] -= 1;
        self.counters.count_end(ending);
        self.ended.push_back(Ended {
            id,
            secure: connection.is_secure(),
            client: connection.client,
            server: connection.server,
            ending,
        });
        self.pool.give_back(connection.unread);
        self.pool.give_back(connection.unsent.into());
    }
}
