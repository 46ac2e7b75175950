//! Bytes of one stream into another without a stop in this process: splice(2), with a pipe between them.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr,
};

/// A pipe that holds what was taken out of one socket and not yet put into another.
///
/// Both sockets must be nonblocking stream sockets. Two descriptors.
#[derive(Debug)]
pub struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
    held: usize,
}

impl Pipe {
    /// Makes an empty pipe.
    ///
    /// # Errors
    /// If there is no descriptor or memory for it.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self {
            reader,
            writer,
            held: 0,
        })
    }

    /// How many bytes are in it.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes up to `at_most` bytes out of a socket; 0 means that its stream has ended.
    ///
    /// # Errors
    /// `WouldBlock` if the socket has none at present, or the pipe has no room; `InvalidInput` and `Unsupported`
    /// where the kernel does not splice such sockets.
    pub fn fill(&mut self, from: BorrowedFd<'_>, at_most: usize) -> io::Result<usize> {
        let moved = splice(from, self.writer.as_fd(), at_most)?;
        self.held += moved;
        Ok(moved)
    }

    /// Puts what the pipe holds into a socket, or as much of it as fits.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits at present.
    pub fn drain(&mut self, to: BorrowedFd<'_>) -> io::Result<usize> {
        let moved = splice(self.reader.as_fd(), to, self.held)?;
        self.held -= moved;
        Ok(moved)
    }
}

fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    // SAFETY: both descriptors are open through the call, and neither offset is given, as sockets and pipes have none.
    let moved = unsafe {
        libc::splice(
            from.as_raw_fd(),
            ptr::null_mut(),
            to.as_raw_fd(),
            ptr::null_mut(),
            len,
            libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK,
        )
    };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener, TcpStream},
        os::unix::net::UnixStream,
    };

    use super::*;

    fn tcp() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (one, listener.accept().unwrap().0)
    }

    #[test]
    fn bytes_pass_between_sockets_of_both_kinds_and_so_does_the_end() {
        let (mut source, from) = tcp();
        let (to, mut sink) = UnixStream::pair().unwrap();
        from.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::new().unwrap();
        let empty = pipe.fill(from.as_fd(), 100).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        source.write_all(b"hello").unwrap();
        from.set_nonblocking(false).unwrap();
        assert_eq!((pipe.fill(from.as_fd(), 3).unwrap(), pipe.held()), (3, 3));
        assert_eq!((pipe.drain(to.as_fd()).unwrap(), pipe.held()), (3, 0));
        assert_eq!(pipe.fill(from.as_fd(), 100).unwrap(), 2);
        assert_eq!(pipe.drain(to.as_fd()).unwrap(), 2);
        let mut seen = [0; 5];
        sink.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"hello");
        source.shutdown(Shutdown::Write).unwrap();
        assert_eq!(pipe.fill(from.as_fd(), 100).unwrap(), 0);
    }

    #[test]
    fn a_sink_that_is_not_read_holds_the_pipe_up() {
        let (mut source, from) = tcp();
        let (to, mut sink) = tcp();
        to.set_nonblocking(true).unwrap();
        let chunk = vec![7; 1 << 16];
        let mut pipe = Pipe::new().unwrap();
        let (mut filled, mut drained) = (0, 0);
        let blocked = loop {
            source.write_all(&chunk).unwrap();
            filled += pipe.fill(from.as_fd(), chunk.len()).unwrap();
            match pipe.drain(to.as_fd()) {
                Ok(len) => drained += len,
                Err(error) => break error,
            }
        };
        assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(pipe.held(), filled - drained);
        let mut rest = vec![0; drained];
        sink.read_exact(&mut rest).unwrap();
        assert!(rest.iter().all(|&byte| byte == 7));
    }
}
