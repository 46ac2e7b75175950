//! Bytes arrive once each, in order, both ways, however slow the receiver is.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, ServerName},
};

use super::{
    Happening,
    world::{World, connected_pair, id, numbered, write_in_pieces},
};

const LEN: usize = 3_000_000;

/// Sends to the other end and reads what that sends, at once; each ends its half when it is done.
fn talk(mut io: TcpStream, len: usize) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut writing = io.try_clone().unwrap();
        let writer = thread::spawn(move || {
            write_in_pieces(&mut writing, &numbered(len));
            writing.shutdown(Shutdown::Write).unwrap();
        });
        let mut seen = Vec::new();
        io.read_to_end(&mut seen).unwrap();
        writer.join().unwrap();
        seen
    })
}

fn both_ways(world: &mut World) {
    let relayed = world.open_relay(id(0));
    let (peer, client) = world.joined_by_arrival(relayed, id(0));
    let (peer, client) = (talk(peer, LEN), talk(client, LEN / 2));
    world.run_while(|| !peer.is_finished() || !client.is_finished());
    assert!(peer.join().unwrap() == numbered(LEN / 2));
    assert!(client.join().unwrap() == numbered(LEN));
    assert!(matches!(world.happening(), Happening::Ended { peer } if peer == id(0)));
    assert_eq!(world.counts(), [LEN as u64 / 2, LEN as u64]);
}

#[cfg(target_os = "linux")]
#[test]
fn spliced_bytes_arrive_in_order_and_idle_connections_hold_no_pipe() {
    let mut world = World::new();
    both_ways(&mut world);
    assert!(world.peers.tools.splices, "the kernel splices");
    assert_eq!(world.peers.tools.in_use(), 0);
}

#[test]
fn copied_bytes_arrive_in_order_too() {
    let mut world = World::new();
    #[cfg(target_os = "linux")]
    {
        world.peers.tools.splices = false;
    }
    both_ways(&mut world);
}

#[test]
fn what_was_read_with_the_request_comes_first_and_so_does_the_answer() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let mut peer = TcpStream::connect(relayed).unwrap();
    peer.write_all(b" from the peer").unwrap();
    world.adopt_arrival(id(0));
    let (near, mut client) = connected_pair();
    client.write_all(b" and after").unwrap();
    world.join(id(0), near, b"with the request".to_vec(), b"answer".to_vec());
    let reader = thread::spawn(move || {
        let (mut at_peer, mut at_client) = ([0; 26], [0; 20]);
        peer.read_exact(&mut at_peer).unwrap();
        client.read_exact(&mut at_client).unwrap();
        assert_eq!(&at_peer, b"with the request and after");
        assert_eq!(&at_client, b"answer from the peer");
    });
    world.run_while(|| !reader.is_finished());
    reader.join().unwrap();
    assert_eq!(world.counts(), [26, 14], "an answer is not relayed");
}

/// The sender is not read while the receiver sleeps, and neither pipe nor memory grows.
#[test]
fn a_slow_receiver_slows_its_sender_down_and_nobody_else() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let (mut peer, mut client) = world.joined_by_arrival(relayed, id(0));
    let (mut other_peer, other_client) = world.joined_by_arrival(relayed, id(1));
    peer.set_nonblocking(true).unwrap();
    let chunk = vec![5; 1 << 16];
    let (mut sent, mut idle) = (0, 0);
    while idle < 100 {
        match peer.write(&chunk) {
            Ok(len) => (sent, idle) = (sent + len, 0),
            Err(_) => idle += 1,
        }
        world.run_once();
        assert!(sent < 256 << 20, "somebody holds it all");
    }
    other_peer.write_all(b"x").unwrap();
    assert_eq!(world.receive(&other_client, 1), b"x");
    let reader = thread::spawn(move || {
        let mut seen = vec![0; sent];
        client.read_exact(&mut seen).unwrap();
        seen.iter().all(|&byte| byte == 5)
    });
    world.run_while(|| !reader.is_finished());
    assert!(reader.join().unwrap());
}

#[test]
fn either_half_may_end_before_the_other() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let (mut peer, mut client) = world.joined_by_arrival(relayed, id(0));
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let server = thread::spawn(move || {
        let mut question = Vec::new();
        peer.read_to_end(&mut question).unwrap();
        thread::sleep(Duration::from_millis(30));
        peer.write_all(b"answer to ").unwrap();
        peer.write_all(&question).unwrap();
    });
    let reader = thread::spawn(move || {
        let mut seen = String::new();
        client.read_to_string(&mut seen).unwrap();
        seen
    });
    world.run_while(|| !reader.is_finished());
    server.join().unwrap();
    assert_eq!(reader.join().unwrap(), "answer to question");
}

fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let pair = rcgen::generate_simple_self_signed(["relay.test".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = pair.cert.der().clone();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

/// The server's session once the handshake is over, and the client's stream.
fn secure_pair() -> (
    TcpStream,
    ServerConnection,
    StreamOwned<ClientConnection, TcpStream>,
) {
    let (server, client) = tls();
    let (mut near, far) = connected_pair();
    let name = ServerName::try_from("relay.test").unwrap();
    let handshake = thread::spawn(move || {
        let mut stream = StreamOwned::new(ClientConnection::new(client, name).unwrap(), far);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    });
    let mut session = ServerConnection::new(server).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut near).unwrap();
    }
    (near, session, handshake.join().unwrap())
}

#[test]
fn bytes_within_tls_are_copied_and_arrive_in_order() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let peer = TcpStream::connect(relayed).unwrap();
    world.adopt_arrival(id(0));
    let (near, session, mut far) = secure_pair();
    let mut client = world.client(near, vec![], b"answer".to_vec());
    client.tls = Some(Box::new(session));
    world.peers.join(id(0), client).unwrap();
    let peer = talk(peer, LEN);
    let client = thread::spawn(move || {
        let mut seen = vec![0; 6 + LEN / 3];
        far.read_exact(&mut seen).unwrap();
        write_in_pieces(&mut far, &numbered(LEN / 2));
        far.conn.send_close_notify();
        far.flush().unwrap();
        far.read_to_end(&mut seen).unwrap();
        assert!(seen.starts_with(b"answer"));
        seen.split_off(6)
    });
    world.run_while(|| !peer.is_finished() || !client.is_finished());
    assert!(peer.join().unwrap() == numbered(LEN / 2));
    assert!(client.join().unwrap() == numbered(LEN));
    assert!(matches!(world.happening(), Happening::Ended { .. }));
    assert_eq!(world.counts(), [LEN as u64 / 2, LEN as u64]);
}

#[test]
fn a_client_whose_tls_is_broken_is_cut_off() {
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let mut peer = TcpStream::connect(relayed).unwrap();
    world.adopt_arrival(id(0));
    let (near, session, mut far) = secure_pair();
    let mut client = world.client(near, vec![], vec![]);
    client.tls = Some(Box::new(session));
    world.peers.join(id(0), client).unwrap();
    far.sock.write_all(&[0; 100]).unwrap();
    assert!(matches!(world.happening(), Happening::Ended { .. }));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

/// Datagrams have their turn after a megabyte, and nobody waits for those who never stop.
#[test]
fn a_round_carries_about_a_megabyte_and_everybody_has_a_turn() {
    const MANY: u32 = 24;
    let mut world = World::new();
    let relayed = world.open_relay(id(0));
    let pairs: Vec<_> = (0..MANY)
        .map(|index| world.joined_by_arrival(relayed, id(index)))
        .collect();
    for (peer, client) in &pairs {
        peer.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
    }
    world.counts();
    let bytes = vec![7; 1 << 20];
    let mut buffer = vec![0; 1 << 20];
    let mut most = 0;
    for _ in 0..MANY {
        for (peer, _) in &pairs {
            while (&*peer).write(&bytes).is_ok() {}
        }
        world.run_once();
        most = most.max(world.counts().iter().sum());
        // All but the last one have a reader.
        for (_, client) in &pairs[..pairs.len() - 1] {
            while (&*client).read(&mut buffer).is_ok_and(|len| len > 0) {}
        }
    }
    assert!(most > 1 << 19, "{most} bytes at most");
    assert!(most <= (1 << 20) + (1 << 19), "{most} bytes in a round");
    let (_, last) = &pairs[pairs.len() - 1];
    assert!((&*last).read(&mut buffer).is_ok_and(|len| len > 0));
}
