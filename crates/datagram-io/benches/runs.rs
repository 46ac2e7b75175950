//! What runs are worth: bursts are received from one socket and leave by the other, as a relay does, over loopback. The
//! receiver takes datagrams one by one, so that the kernel's work of cutting runs is in the figures. Only ratios within one
//! run of this bench mean anything.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails loudly and prints what it found"
)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use datagram_io::{Batch, HEADROOM, Mmsg, SocketId, Sockets, open_listeners};
use mio::Poll;

const ROUNDS: usize = 10_000;
/// Who is relayed, and the relay between them.
const FROM: u32 = 0;
const TO: u32 = 1;
const RELAY: u32 = 0;

/// How a burst is made up.
#[derive(Clone, Copy)]
struct Mode {
    name: &'static str,
    /// Whether the datagrams are of a length, so that they are sent as a run.
    run: bool,
    /// Whether the relay takes runs in one piece.
    joins: bool,
}

const MODES: [Mode; 4] = [
    Mode {
        name: "one by one",
        run: false,
        joins: false,
    },
    Mode {
        name: "one by one, to a socket that joins runs",
        run: false,
        joins: true,
    },
    Mode {
        name: "sent as a run",
        run: true,
        joins: false,
    },
    Mode {
        name: "received and sent as a run",
        run: true,
        joins: true,
    },
];

struct Setting {
    mode: Mode,
    relaying: Sockets<Mmsg>,
    outside: Sockets<Mmsg>,
    batch: Batch,
    _poll: Poll,
}

fn id(index: u32) -> SocketId {
    SocketId { index, generation: 0 }
}

fn address(sockets: &Sockets<Mmsg>, index: u32) -> SocketAddr {
    sockets.socket(id(index)).unwrap().local_address()
}

impl Setting {
    fn new(mode: Mode) -> Self {
        let poll = Poll::new().unwrap();
        let registry = || poll.registry().try_clone().unwrap();
        let relay = if mode.joins {
            Mmsg::new().joining_runs()
        } else {
            Mmsg::new()
        };
        let mut relaying = Sockets::new(relay, registry());
        let mut outside = Sockets::new(Mmsg::new(), registry());
        let listen = || {
            open_listeners("127.0.0.1:0".parse().unwrap(), 1)
                .unwrap()
                .remove(0)
        };
        relaying.insert(id(RELAY), listen()).unwrap();
        outside.insert(id(FROM), listen()).unwrap();
        outside.insert(id(TO), listen()).unwrap();
        Self {
            mode,
            relaying,
            outside,
            batch: Batch::new(64),
            _poll: poll,
        }
    }

    /// Relays one burst and times the part of the relay.
    fn relay(&mut self, burst: usize, payload: usize) -> Duration {
        let (relay, from, to) = (
            address(&self.relaying, RELAY),
            address(&self.outside, FROM),
            address(&self.outside, TO),
        );
        self.batch.commit(burst);
        for (number, slot) in self.batch.filled_mut().iter_mut().enumerate() {
            // What gets longer and longer is no run.
            let longer = if self.mode.run { 0 } else { number };
            slot.send(
                id(FROM),
                HEADROOM..HEADROOM + payload - burst + longer,
                from,
                relay,
            );
        }
        self.outside.send(&mut self.batch);
        self.batch.clear();

        let start = Instant::now();
        self.relaying.receive(RELAY, &mut self.batch, 32);
        assert_eq!(self.batch.filled().len(), burst);
        for slot in self.batch.filled_mut() {
            let window = slot.window();
            slot.send(id(RELAY), window, relay, to);
        }
        self.relaying.send(&mut self.batch);
        let took = start.elapsed();
        self.batch.clear();

        self.outside.receive(TO, &mut self.batch, 64);
        assert_eq!(self.batch.filled().len(), burst);
        self.batch.clear();
        took
    }
}

/// The modes take turns round by round, so that whatever else runs on the machine burdens all of them alike.
fn main() {
    println!("nanoseconds per datagram, received and sent: lower quartile, median");
    for (burst, payload) in [
        (1, 160),
        (2, 1200),
        (3, 160),
        (3, 1200),
        (8, 160),
        (8, 1200),
        (30, 1200),
    ] {
        let mut settings = MODES.map(Setting::new);
        let mut took = MODES.map(|_| Vec::with_capacity(ROUNDS));
        for _ in 0..ROUNDS {
            for (setting, took) in settings.iter_mut().zip(&mut took) {
                took.push(setting.relay(burst, payload));
            }
        }
        let base = quartiles(&mut took[0], burst);
        for (mode, took) in MODES.iter().zip(&mut took) {
            let [quarter, half] = quartiles(took, burst);
            let more = (half / base[1] - 1.0) * 100.0;
            println!(
                "{burst:2} of {payload:4} bytes, {:40} {quarter:6.0} {half:6.0}  {more:+5.1} %",
                mode.name
            );
        }
    }
}

fn quartiles(took: &mut [Duration], burst: usize) -> [f64; 2] {
    took.sort();
    [took.len() / 4, took.len() / 2].map(|at| took[at].as_nanos() as f64 / burst as f64)
}
