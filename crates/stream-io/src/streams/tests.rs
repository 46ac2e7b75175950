//! Connections taken out of a table and put back.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use datagram_io::{Batch, ConnectionId, Origin};
use mio::{Events, Poll};

use super::*;
use crate::{Limits, open_listeners};

/// A ConnectionBind request without attributes, and what somebody in a hurry has sent behind it.
const REQUEST: &[u8] = b"\x00\x0b\x00\x00\x21\x12\xa4\x42twelve bytes";
const BEHIND: &[u8] = b"no frame";

/// A table with one listener, as a worker has it.
struct Worker {
    poll: Poll,
    streams: Streams,
    batch: Batch,
    address: SocketAddr,
}

impl Worker {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let limits = Limits {
            connections: 10,
            per_network: 10,
            handshake: Duration::from_secs(60),
            frame: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            send_queue: 1 << 16,
        };
        let listeners = open_listeners("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let census = Census::new(&limits);
        Self {
            streams: Streams::new(registry, listeners, Reception::new(limits), census).unwrap(),
            poll,
            batch: Batch::new(8),
            address,
        }
    }

    /// Turns the loop until a frame has come, and says whose it is.
    fn frame(&mut self) -> (ConnectionId, Vec<u8>) {
        let mut events = Events::with_capacity(8);
        loop {
            self.batch.clear();
            self.poll
                .poll(&mut events, Some(Duration::from_secs(10)))
                .unwrap();
            assert!(!events.is_empty(), "no frame after 10 s");
            for event in &events {
                assert!(self.streams.note(event));
            }
            while !self.streams.is_idle() {
                self.streams.begin_round();
                self.streams.receive(Instant::now(), &mut self.batch);
                if let [slot, ..] = self.batch.filled() {
                    let Origin::Connection(id) = slot.origin() else {
                        panic!("{:?}", slot.origin())
                    };
                    return (id, slot.payload().to_vec());
                }
            }
        }
    }
}

#[test]
fn what_is_taken_comes_with_all_that_was_read_and_not_sent_and_counts_no_end() {
    let mut worker = Worker::new();
    let mut client = TcpStream::connect(worker.address).unwrap();
    client.write_all(&[REQUEST, BEHIND].concat()).unwrap();
    let (id, frame) = worker.frame();
    assert_eq!(frame, REQUEST);

    worker.streams.send(id, b"the answer");
    let taken = worker.streams.take(id).unwrap();
    assert_eq!(
        (taken.client, taken.server),
        (client.local_addr().unwrap(), worker.address)
    );
    assert_eq!(taken.unread, BEHIND);
    assert_eq!(taken.unsent, b"the answer");
    assert!(taken.tls.is_none());

    let Streams { counters, .. } = &worker.streams;
    assert_eq!((counters.open, counters.taken), ([0, 0], 1));
    assert!(worker.streams.take(id).is_none(), "it is there once");
    worker.streams.finish();
    assert_eq!(worker.streams.next_ended(), None);
}

#[test]
fn a_taken_connection_is_its_new_owners() {
    let mut worker = Worker::new();
    let mut client = TcpStream::connect(worker.address).unwrap();
    client.write_all(REQUEST).unwrap();
    let (id, _) = worker.frame();
    let mut taken = worker.streams.take(id).unwrap();

    worker.streams.send(id, b"too late");
    assert_eq!(worker.streams.counters.gone, 1);
    taken.stream.write_all(b"from the new owner").unwrap();
    let mut heard = [0; 18];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"from the new owner");
    let nothing = taken.stream.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock, "it does not block");
}
