//! Bytes on their way from one side to the other.

use std::{io, mem};

use crate::{
    side::Side,
    tools::{CHUNK, Tools},
};

/// Bytes carried in one turn; then others have theirs.
const TURN: usize = 4 * CHUNK;

/// One direction of a relayed stream.
#[derive(Default)]
pub(crate) struct Flow {
    held: Held,
    /// Bytes taken from the sender.
    pub(crate) taken: u64,
    /// Whether the sender has ended.
    ended: bool,
    /// Whether the receiver was told.
    finished: bool,
}

/// What was taken from the sender and not yet given to the receiver.
#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// From this position on.
    Bytes(Vec<u8>, usize),
    #[cfg(target_os = "linux")]
    Piped(datagram_io::Pipe),
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// One side has to say something first.
    Blocked,
    /// The turn was long enough.
    More,
    /// Everything has arrived, and so has the end.
    Finished,
}

impl Flow {
    /// Begins with bytes that are there already.
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        Self {
            held: Held::Bytes(bytes, 0),
            ..Self::default()
        }
    }

    /// Counts the bytes it began with, or holds in memory now.
    pub(crate) fn held(&self) -> usize {
        match &self.held {
            Held::Bytes(bytes, position) => bytes.len() - position,
            #[cfg(target_os = "linux")]
            Held::Piped(pipe) => pipe.held(),
            Held::Nothing => 0,
        }
    }

    /// Carries bytes for one turn.
    pub(crate) fn carry(&mut self, from: &mut Side, to: &mut Side, tools: &mut Tools) -> io::Result<Step> {
        let mut carried = 0;
        while !self.finished {
            // What cannot be given on is not taken either.
            if !to.writable {
                return Ok(Step::Blocked);
            }
            let given = self.put_held(to, tools);
            if !proceed(&mut to.writable, given)? {
                continue;
            }
            if self.ended {
                let told = to.finish();
                self.finished = proceed(&mut to.writable, told)?;
                continue;
            }
            if carried >= TURN {
                return Ok(Step::More);
            }
            if !from.readable {
                return Ok(Step::Blocked);
            }
            match self.take(from, to, tools) {
                Ok(0) => self.ended = true,
                Ok(len) => {
                    carried += len;
                    self.taken += len as u64;
                }
                Err(error) => {
                    proceed(&mut from.readable, Err(error))?;
                }
            }
        }
        Ok(Step::Finished)
    }

    /// Gives what is held to the receiver, all of it or until that would block.
    fn put_held(&mut self, to: &mut Side, tools: &mut Tools) -> io::Result<()> {
        match &mut self.held {
            Held::Nothing => {}
            Held::Bytes(bytes, position) => {
                while *position < bytes.len() {
                    *position += to.write(&bytes[*position..])?;
                }
            }
            #[cfg(target_os = "linux")]
            Held::Piped(pipe) => {
                if let Some(fd) = to.plain() {
                    while pipe.held() > 0 {
                        pipe.drain(fd)?;
                    }
                }
            }
        }
        self.release(tools);
        to.flush()
    }

    /// Takes from the sender what a pipe holds, or copies as much.
    fn take(&mut self, from: &mut Side, to: &mut Side, tools: &mut Tools) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        if let Some(taken) = self.splice(from, to, tools) {
            return taken;
        }
        let len = from.read(&mut tools.scratch)?;
        let bytes = &tools.scratch[..len];
        let written = given(to.write(bytes))?;
        if written < len {
            self.held = Held::Bytes(bytes[written..].to_vec(), 0);
        }
        Ok(len)
    }

    /// Fills a pipe; `None` where that cannot be done.
    #[cfg(target_os = "linux")]
    fn splice(&mut self, from: &Side, to: &Side, tools: &mut Tools) -> Option<io::Result<usize>> {
        let (from, _) = (from.plain()?, to.plain()?);
        let mut pipe = tools.take_pipe()?;
        let filled = pipe.fill(from, CHUNK);
        match filled {
            Ok(1..) => self.held = Held::Piped(pipe),
            Ok(0) | Err(_) => tools.give_back(pipe),
        }
        if let Err(error) = &filled
            && matches!(
                error.raw_os_error(),
                Some(libc::EINVAL | libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP)
            )
        {
            tools.splices = false;
            return None;
        }
        Some(filled)
    }

    /// Gives back what held something.
    pub(crate) fn release(&mut self, tools: &mut Tools) {
        match mem::take(&mut self.held) {
            #[cfg(target_os = "linux")]
            Held::Piped(pipe) => tools.give_back(pipe),
            Held::Nothing | Held::Bytes(..) => {
                // Where nothing is spliced, there is nothing to give back to.
                let _ = tools;
            }
        }
    }
}

/// How many bytes were given on. Those that were taken and not given on are held until it can be tried again.
fn given(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if is_for_later(&error) => Ok(0),
        written => written,
    }
}

/// Whether nothing was done and nothing is broken.
pub(crate) fn is_for_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// False if it is to be done again, at once or, as is noted, once the side is ready.
fn proceed(ready: &mut bool, outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            *ready = false;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_a_signal_kept_from_being_given_on_are_not_lost() {
        for later in [io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock] {
            assert_eq!(given(Err(later.into())).unwrap(), 0);
        }
        assert_eq!(given(Ok(5)).unwrap(), 5);
        given(Err(io::ErrorKind::BrokenPipe.into())).unwrap_err();
    }
}
