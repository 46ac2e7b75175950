//! A Binding request over TCP, for when nothing comes back over UDP.

use std::{io, net::SocketAddr, time::Duration};

use stun_wire::stream::{Frame, next_frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    binding::{self, Answer, Question, Reading},
    probe,
};

/// Longer than any answer to a Binding request.
const LONGEST: usize = 2048;

/// Asks once: TCP itself repeats what is lost (RFC 8489 §6.2.2).
pub(super) async fn ask(server: SocketAddr, patience: Duration) -> io::Result<Answer> {
    timeout(patience, exchange(server)).await?
}

async fn exchange(server: SocketAddr) -> io::Result<Answer> {
    let id = probe::fresh_id()?;
    let request = Question::plain(server).request(id).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&request).await?;
    let mut bytes = Vec::new();
    loop {
        match next_frame(&bytes) {
            Frame::Complete { len, .. } => {
                return match binding::read(&bytes[..len], id, server) {
                    Reading::Answer(answer) => Ok(answer),
                    Reading::Refusal(_) | Reading::Foreign => Err(io::ErrorKind::InvalidData.into()),
                };
            }
            Frame::NeedMore(_) if bytes.len() < LONGEST => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Frame::NeedMore(_) | Frame::Invalid => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
