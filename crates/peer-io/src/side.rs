//! One end of a relayed stream: a socket, plain or within TLS, and whether it can be read and written now.

#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd};
use std::{
    io::{self, Read, Write},
    net::Shutdown,
};

use rustls::ServerConnection;

use crate::{flow::is_for_later, stream::Stream};

pub(crate) struct Side {
    pub(crate) io: Stream,
    tls: Option<Box<ServerConnection>>,
    /// Until the kernel says otherwise.
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Whether it was told that nothing more will be written.
    closing: bool,
}

impl Side {
    pub(crate) fn new(io: Stream, tls: Option<Box<ServerConnection>>) -> Self {
        Self {
            io,
            tls,
            readable: true,
            writable: true,
            closing: false,
        }
    }

    /// The descriptor that bytes can be spliced from or to, if they go in and out as they are.
    #[cfg(target_os = "linux")]
    pub(crate) fn plain(&self) -> Option<BorrowedFd<'_>> {
        self.tls.is_none().then(|| self.io.as_fd())
    }

    /// Reads what was sent; 0 means that nothing more will come.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.tls else {
            return (&self.io.0).read(buffer);
        };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Many clients end the connection without ending the session first.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            session.read_tls(&mut &self.io.0)?;
            if let Err(error) = session.process_new_packets() {
                // An alert says why; whether it arrives is not waited for.
                let _ = session.write_tls(&mut &self.io.0);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    /// Writes as much as is taken at present.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let Some(session) = &mut self.tls else {
            return (&self.io.0).write(bytes);
        };
        let taken = session.writer().write(bytes)?;
        match self.flush() {
            Err(error) if !is_for_later(&error) => Err(error),
            Ok(()) | Err(_) => Ok(taken),
        }
    }

    /// Writes what the session has encrypted before.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.tls else {
            return Ok(());
        };
        while session.wants_write() {
            session.write_tls(&mut &self.io.0)?;
        }
        Ok(())
    }

    /// Says that nothing more will be written. If that would block, it is to be called again.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if !self.closing {
            self.closing = true;
            if let Some(session) = &mut self.tls {
                session.send_close_notify();
            }
        }
        self.flush()?;
        match self.io.0.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
