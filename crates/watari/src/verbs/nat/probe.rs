//! One UDP socket that asks, with the retransmissions of RFC 8489 §6.2.1.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use stun_wire::TransactionId;
use thiserror::Error;
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until, timeout_at},
};

use super::binding::{self, Answer, Question, Reading};

/// RFC 8489 §6.2.1: the first retransmission timeout, doubled each time.
const RTO: Duration = Duration::from_millis(500);
/// RFC 8489 §6.2.1: Rc, how often a request is sent.
const SENT_AT_MOST: u32 = 7;
/// Ethernet's 1500 bytes hold every answer to a request without PADDING.
const LONGEST: usize = 1500;

/// Why a question has no answer.
#[derive(Debug, Error)]
pub(super) enum Unanswered {
    #[error("no answer")]
    Silence,
    #[error("refused with error {0}")]
    Refused(u16),
    #[error("{0}")]
    Network(#[from] io::Error),
}

/// A socket, and so one binding of the NAT for each destination it may tell apart.
#[derive(Debug)]
pub(super) struct Probe {
    socket: UdpSocket,
    patience: Duration,
}

impl Probe {
    /// Opens a socket on a port of the system's choice.
    pub(super) async fn open(local: IpAddr, patience: Duration) -> io::Result<Self> {
        Ok(Self {
            socket: UdpSocket::bind((local, 0)).await?,
            patience,
        })
    }

    /// Narrows the socket to one server, whose machine can then say that nothing listens there.
    pub(super) async fn connect(&self, server: SocketAddr) -> io::Result<()> {
        self.socket.connect(server).await
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Asks until there is an answer, or patience ends.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Unanswered> {
        self.ask_and_listen_at(question, self).await
    }

    /// Asks from here, and waits for the answer at another socket: RESPONSE-PORT leads it there.
    pub(super) async fn ask_and_listen_at(
        &self,
        question: Question,
        at: &Self,
    ) -> Result<Answer, Unanswered> {
        let id = fresh_id()?;
        let request = question.request(id).map_err(io::Error::other)?;
        let read = |datagram: &[u8], from| match binding::read(datagram, id, from) {
            Reading::Answer(answer) => Some(Ok(answer)),
            Reading::Refusal(code) => Some(Err(Unanswered::Refused(code))),
            Reading::Foreign => None,
        };
        tokio::select! {
            heard = at.hear(read) => heard?,
            failed = self.send_repeatedly(&request, question.to) => Err(failed),
        }
    }

    /// Sends a request towards `to` until `at` has received it; says whether it has.
    pub(super) async fn sends_to(&self, to: SocketAddr, at: &Self) -> Result<bool, Unanswered> {
        let id = fresh_id()?;
        let request = Question::plain(to).request(id).map_err(io::Error::other)?;
        tokio::select! {
            heard = at.hear(|datagram, _| binding::is_request(datagram, id).then_some(())) => heard.map(|()| true),
            failed = self.send_repeatedly(&request, to) => match failed {
                Unanswered::Silence => Ok(false),
                Unanswered::Refused(_) | Unanswered::Network(_) => Err(failed),
            },
        }
    }

    /// Receives until something is what was waited for.
    async fn hear<T>(&self, is: impl Fn(&[u8], SocketAddr) -> Option<T>) -> Result<T, Unanswered> {
        let mut buffer = [0; LONGEST];
        loop {
            let (len, from) = self.socket.recv_from(&mut buffer).await?;
            if let Some(heard) = is(&buffer[..len], from) {
                return Ok(heard);
            }
        }
    }

    /// Sends now and after each timeout; ends when patience does.
    async fn send_repeatedly(&self, request: &[u8], to: SocketAddr) -> Unanswered {
        let start = Instant::now();
        for wait in schedule(self.patience) {
            if let Err(error) = self.send(request, to).await {
                return error.into();
            }
            sleep_until(start + wait).await;
        }
        Unanswered::Silence
    }

    async fn send(&self, request: &[u8], to: SocketAddr) -> io::Result<()> {
        // A connected socket takes no other destination on some systems.
        if self.socket.peer_addr().is_ok() {
            self.socket.send(request).await?;
        } else {
            self.socket.send_to(request, to).await?;
        }
        Ok(())
    }

    /// Waits without sending anything.
    pub(super) async fn rest_until(&self, until: Instant) {
        let nothing = |_: &[u8], _: SocketAddr| None::<()>;
        // Whatever comes in the meantime is taken off the queue.
        let _ = timeout_at(until, self.hear(nothing)).await;
        sleep_until(until).await;
    }
}

/// The times, from the first request on, at which the next one is due; the last is when to give up.
fn schedule(patience: Duration) -> Vec<Duration> {
    let due = (1..SENT_AT_MOST).map(|sent| RTO * ((1 << sent) - 1));
    let mut times: Vec<_> = due.take_while(|due| *due < patience).collect();
    times.push(patience);
    times
}

/// RFC 8489 §6: identifiers are random, so that nobody off the path can answer.
pub(super) fn fresh_id() -> io::Result<TransactionId> {
    let mut id = [0; 12];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(TransactionId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_repeated_at_doubling_intervals_seven_times_at_most() {
        let millis = |patience| {
            let times = schedule(Duration::from_millis(patience));
            times.iter().map(|time| time.as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(millis(3000), [500, 1500, 3000]);
        assert_eq!(millis(400), [400]);
        // The example of RFC 8489 §6.2.1.
        assert_eq!(millis(39_500), [500, 1500, 3500, 7500, 15_500, 31_500, 39_500]);
        assert_eq!(millis(60_000), [500, 1500, 3500, 7500, 15_500, 31_500, 60_000]);
    }
}
