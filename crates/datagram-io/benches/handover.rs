//! What it costs to bring a datagram from one worker's relay to another one's: by the ring between them, and by the kernel.
//! Both run in one thread here, so that nothing is counted of what two cores' caches cost. Only ratios within one run mean
//! anything.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails loudly and prints what it found"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use datagram_io::{Batch, Inbox, Mmsg, Outbox, Reported, SocketId, Sockets, handover};
use mio::{Poll, Token, Waker};

const ROUNDS: usize = 10_000;
const BATCH: usize = 32;
/// As many as a worker takes from a relay at a time.
const FROM_RELAY: usize = 4;
const PAYLOAD: usize = 1200;
const FIRST: SocketId = SocketId {
    index: 0,
    generation: 0,
};
const SECOND: SocketId = SocketId {
    index: 1,
    generation: 0,
};

struct Workers {
    outbox: Outbox<u64>,
    inbox: Inbox<u64>,
    sockets: Sockets<Mmsg>,
    sending: Batch,
    receiving: Batch,
    notes: Vec<u64>,
    _poll: Poll,
}

impl Workers {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(9)).unwrap());
        let (outbox, inbox) = handover(1024, waker);
        let reported = Reported {
            hop_limit: false,
            traffic_class: true,
        };
        let mut sockets = Sockets::new(Mmsg::reporting(reported), poll.registry().try_clone().unwrap());
        for relay in [FIRST, SECOND] {
            let free = std::net::UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            sockets.open(relay, free).unwrap();
        }
        Self {
            outbox,
            inbox,
            sockets,
            sending: Batch::new(BATCH),
            receiving: Batch::new(BATCH),
            notes: Vec::new(),
            _poll: poll,
        }
    }

    fn by_ring(&mut self) -> Duration {
        self.sending.commit(BATCH);
        let start = Instant::now();
        for slot in self.sending.filled_mut() {
            self.outbox.hand_over(slot, 48..48 + PAYLOAD, 7).unwrap();
        }
        self.outbox.announce();
        self.inbox.receive(&mut self.receiving, &mut self.notes);
        let took = start.elapsed();
        assert_eq!(self.receiving.filled().len(), BATCH);
        self.clear();
        took
    }

    fn by_kernel(&mut self) -> Duration {
        let [from, to] = [FIRST, SECOND].map(|relay| self.sockets.socket(relay).unwrap().local_address());
        self.sending.commit(BATCH);
        let start = Instant::now();
        for slot in self.sending.filled_mut() {
            slot.send(FIRST, 48..48 + PAYLOAD, from, to);
        }
        self.sockets.send(&mut self.sending);
        while self.receiving.filled().len() < BATCH {
            self.sockets
                .receive(SECOND.index, &mut self.receiving, FROM_RELAY);
        }
        let took = start.elapsed();
        self.clear();
        took
    }

    fn clear(&mut self) {
        self.sending.clear();
        self.receiving.clear();
        self.notes.clear();
    }
}

/// The ways take turns round by round, so that whatever else runs on the machine burdens both alike.
fn main() {
    let mut workers = Workers::new();
    let mut took = [(); 2].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        took[0].push(workers.by_ring());
        took[1].push(workers.by_kernel());
    }
    println!("nanoseconds per datagram: lower quartile, median");
    for (name, took) in ["ring", "kernel"].into_iter().zip(&mut took) {
        took.sort();
        let [quarter, half] =
            [took.len() / 4, took.len() / 2].map(|at| took[at].as_nanos() as f64 / BATCH as f64);
        println!("{name:8} {quarter:6.0} {half:6.0}");
    }
}
