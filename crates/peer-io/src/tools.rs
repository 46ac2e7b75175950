//! What all connections of a worker work with: pipes that are free, and a buffer.

#[cfg(target_os = "linux")]
pub(crate) use datagram_io::Pipe;

/// Bytes taken from a connection at a time: what a pipe holds.
pub(crate) const CHUNK: usize = 64 << 10;

/// Empty pipes kept for the next who needs one.
#[cfg(target_os = "linux")]
const KEPT: usize = 16;

/// Pipes at a time; beyond that bytes are copied.
const MAX_PIPES: usize = 256;

/// Descriptors that a table may use for pipes.
pub const PIPE_DESCRIPTORS: u64 = 2 * MAX_PIPES as u64;

pub(crate) struct Tools {
    #[cfg(target_os = "linux")]
    spare: Vec<Pipe>,
    /// Pipes there are, spare ones included.
    #[cfg(target_os = "linux")]
    pipes: usize,
    /// Whether the kernel splices; it may be told not to.
    #[cfg(target_os = "linux")]
    pub(crate) splices: bool,
    pub(crate) scratch: Box<[u8]>,
}

impl Tools {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            spare: Vec::new(),
            #[cfg(target_os = "linux")]
            pipes: 0,
            #[cfg(target_os = "linux")]
            splices: true,
            scratch: vec![0; CHUNK].into(),
        }
    }
}

#[cfg(target_os = "linux")]
impl Tools {
    /// An empty pipe, unless there are too many or the kernel has none.
    pub(crate) fn take_pipe(&mut self) -> Option<Pipe> {
        if !self.splices {
            return None;
        }
        if let Some(pipe) = self.spare.pop() {
            return Some(pipe);
        }
        if self.pipes >= MAX_PIPES {
            return None;
        }
        let pipe = Pipe::new().ok()?;
        self.pipes += 1;
        Some(pipe)
    }

    /// Takes a pipe back; one that still holds something is closed.
    pub(crate) fn give_back(&mut self, pipe: Pipe) {
        if pipe.held() == 0 && self.spare.len() < KEPT {
            self.spare.push(pipe);
        } else {
            self.pipes -= 1;
        }
    }

    /// Counts pipes in use.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.pipes - self.spare.len()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_bounded_and_used_again() {
        let mut tools = Tools::new();
        let pipes: Vec<_> = std::iter::from_fn(|| tools.take_pipe()).collect();
        assert_eq!((pipes.len(), tools.in_use()), (MAX_PIPES, MAX_PIPES));
        pipes.into_iter().for_each(|pipe| tools.give_back(pipe));
        assert_eq!((tools.pipes, tools.in_use()), (KEPT, 0));
        assert!(tools.take_pipe().is_some());
        assert_eq!((tools.pipes, tools.in_use()), (KEPT, 1));
    }
}
