//! Clients that come by TCP: framing, bounds, and what ends a connection.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use turn_server::{Config, Streams};

use client::{
    Client, Relayed,
    wire::{Wire, connect},
};
use server::{Server, config, peer};

fn tcp_client(server: &Server) -> Client {
    Client::by(Wire::tcp(server.tcp()), server.tcp())
}

/// A client with a channel to a peer.
fn with_channel(server: &Server) -> (Client, UdpSocket, SocketAddr) {
    let mut client = tcp_client(server);
    let relayed = client.allocate();
    let peer = peer("127.0.0.1:0");
    client.bind(0x4000, peer.local_addr().unwrap()).unwrap();
    (client, peer, relayed)
}

/// ChannelData as it stands in a stream.
fn channel_data(payload: &[u8]) -> Vec<u8> {
    let mut frame = [&[0x40, 0x00], &(payload.len() as u16).to_be_bytes()[..], payload].concat();
    frame.resize(frame.len().next_multiple_of(4), 0);
    frame
}

/// A Binding request with 12 bytes of its own.
fn binding(id: u8) -> [u8; 20] {
    let mut request = [id; 20];
    request[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
    request
}

/// Waits for the other side to end the connection, however it does.
fn assert_closed(mut stream: &TcpStream) {
    let mut bytes = [0; 256];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_tcp_client_relays_both_ways_over_both_families() {
    for (listen, ip) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let server = Server::start(&config(listen, 2));
        let mut client = tcp_client(&server);
        assert!(
            client.permit(server.tcp()).is_err(),
            "nothing without an allocation"
        );
        let family = stun_wire::AddressFamily::of(server.tcp().ip());
        let relayed = client.allocate_again(Some(family)).unwrap();
        let peer = peer(ip);
        let home = peer.local_addr().unwrap();
        let mut bytes = [0; 2048];

        client.permit(home).unwrap();
        client.send_indication(home, b"by indication");
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (13, relayed));
        peer.send_to(b"back", relayed).unwrap();
        assert_eq!(client.receive(&mut bytes), Relayed::Data(home, b"back"));
        client.bind(0x4000, home).unwrap();
        client.send_channel(0x4000, b"by channel");
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (10, relayed));
        peer.send_to(b"back again", relayed).unwrap();
        assert_eq!(
            client.receive(&mut bytes),
            Relayed::Channel(0x4000, b"back again")
        );

        server.wait_for("turn_allocations", "tcp", 1.0);
        server.wait_for("turn_connections", "tcp", 1.0);
        drop(client);
        server.wait_for("turn_connections", "tcp", 0.0);
        server.wait_for("turn_allocations", "tcp", 0.0);
        server.wait_for("turn_relay_ports_in_use", "", 0.0);
        server.wait_for("turn_connections_ended_total", "client", 1.0);
    }
}

#[test]
fn frames_arrive_whole_however_the_stream_is_cut() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let (client, peer, _) = with_channel(&server);
    let payloads: Vec<Vec<u8>> = (0..12_usize).map(|len| vec![len as u8; len]).collect();
    let stream: Vec<u8> = payloads
        .iter()
        .flat_map(|payload| channel_data(payload))
        .collect();
    let mut bytes = [0; 2048];
    let mut expect_all = || {
        for payload in &payloads {
            let len = peer.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..len], payload);
        }
    };
    for cut in 1..stream.len() {
        client.wire.send_raw(&stream[..cut]);
        client.wire.send_raw(&stream[cut..]);
        expect_all();
    }
    for byte in &stream {
        client.wire.send_raw(&[*byte]);
    }
    expect_all();
}

/// More frames in one segment than a batch or a turn has room for.
#[test]
fn a_burst_of_small_frames_is_taken_in_turns_and_none_is_lost() {
    const FRAMES: u32 = 5000;
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut stream = connect(server.tcp());
    let requests: Vec<u8> = (0..FRAMES).flat_map(|id| binding(id as u8)).collect();
    let mut reader = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || stream.write_all(&requests).unwrap());
    let wire = Wire::over(reader.try_clone().unwrap());
    let mut bytes = [0; 1024];
    for id in 0..FRAMES {
        wire.receive(&mut bytes);
        assert_eq!(bytes[8..20], [id as u8; 12], "answers come in order");
    }
    writer.join().unwrap();
    reader.flush().unwrap();
    server.wait_for("stun_binding_requests_total", "tcp", f64::from(FRAMES));
}

/// UDP is served between the turns of a connection that never stops asking.
#[test]
fn a_flood_by_tcp_does_not_starve_udp() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let floods: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = connect(server.tcp());
            let mut reader = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                let mut sink = [0; 65536];
                while reader.read(&mut sink).is_ok_and(|len| len > 0) {}
            });
            let closer = stream.try_clone().unwrap();
            let requests = binding(7).repeat(1000);
            let thread = std::thread::spawn(move || while stream.write_all(&requests).is_ok() {});
            (closer, thread)
        })
        .collect();
    let udp = Client::of(server.udp());
    let mut slowest = Duration::ZERO;
    for id in 0..200 {
        let asked = Instant::now();
        udp.wire.send(&binding(id));
        udp.wire.receive(&mut [0; 1024]);
        slowest = slowest.max(asked.elapsed());
    }
    for (closer, thread) in floods {
        closer.shutdown(std::net::Shutdown::Both).unwrap();
        thread.join().unwrap();
    }
    assert!(
        slowest < Duration::from_secs(1),
        "the slowest answer took {slowest:?}"
    );
}

#[test]
fn what_a_slow_reader_cannot_take_is_dropped_whole_and_counted() {
    let server = Server::start(&Config {
        streams: Streams {
            send_queue: 70_000,
            ..Streams::default()
        },
        ..config("127.0.0.1:0", 1)
    });
    let (mut client, peer, relayed) = with_channel(&server);
    let mut datagrams = 0_u32;
    // The buffers of both kernels fill first.
    while server.metric("turn_dropped_datagrams_total", "client_queue_full") < 100.0 {
        for _ in 0..50 {
            let mut payload = [0x5a; 1200];
            payload[..4].copy_from_slice(&datagrams.to_be_bytes());
            peer.send_to(&payload, relayed).unwrap();
            datagrams += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Control is not lost: the answer comes behind the media that waits, and the frames of that are whole.
    assert_eq!(client.refresh(600), Ok(()));
    let received = std::mem::take(&mut client.aside);
    assert!(!received.is_empty() && received.len() < datagrams as usize);
    let number = |frame: &Vec<u8>| {
        assert_eq!((frame.len(), &frame[8..]), (1204, &[0x5a; 1196][..]));
        u32::from_be_bytes(*frame[4..].first_chunk().unwrap())
    };
    assert!(received.iter().map(number).is_sorted(), "in order");
    peer.send_to(b"as before", relayed).unwrap();
    let mut bytes = [0; 2048];
    assert_eq!(client.receive(&mut bytes), Relayed::Channel(0x4000, b"as before"));
}

/// Whoever asks and does not read answers is not listened to, so that nothing piles up.
#[test]
fn a_client_that_never_reads_is_not_read_either() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut stream = connect(server.tcp());
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = binding(7).repeat(1000);
    let mut written = 0_usize;
    while let Ok(len) = stream.write(&requests[written % 20..]) {
        written += len;
        assert!(written < 1 << 30, "the server reads without end");
    }
    assert_eq!(
        server.metric("turn_dropped_datagrams_total", "client_queue_full"),
        0.0
    );
    // Once it reads, everything it had asked is answered.
    let wire = Wire::over(stream);
    let mut bytes = [0; 1024];
    (0..written / 20).for_each(|_| assert_eq!(wire.receive(&mut bytes), 32));
}

/// Those who have no allocation are sent nothing but answers, so that few need to wait.
#[cfg(target_os = "linux")]
#[test]
fn strangers_that_never_read_take_little_memory() {
    const MANY: u64 = 40;
    let server = Server::start(&config("127.0.0.1:0", 1));
    let strangers = (0..MANY).map(|_| {
        let stream = connect(server.tcp());
        let socket = socket2::SockRef::from(&stream);
        socket.set_recv_buffer_size(4096).unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        socket.set_nonblocking(true).unwrap();
        (stream, 0_usize)
    });
    let mut strangers: Vec<_> = strangers.collect();
    server.wait_for("turn_connections", "", MANY as f64);
    // The first ones make resident what all use.
    let (first, others) = strangers.split_at_mut(4);
    fill(first);
    let before = resident_kb();
    fill(others);
    let each = (resident_kb() - before) / others.len() as u64;
    assert!(each < 48, "{each} kB for each of them");
}

/// Sends requests until nobody takes any more.
#[cfg(target_os = "linux")]
fn fill(strangers: &mut [(TcpStream, usize)]) {
    let requests = binding(7).repeat(1000);
    let mut progressed = Instant::now();
    while progressed.elapsed() < Duration::from_millis(300) {
        for (stream, written) in &mut *strangers {
            while let Ok(len) = stream.write(&requests[*written % 20..]) {
                *written += len;
                progressed = Instant::now();
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Without what is mapped from files: how much of the program's text is resident is the page cache's affair.
#[cfg(target_os = "linux")]
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn who_is_slow_or_silent_is_closed_with_its_reason_and_an_allocation_may_be_silent() {
    let server = Server::start(&Config {
        streams: Streams {
            handshake: 1,
            frame: 2,
            idle: 3,
            ..Streams::default()
        },
        ..config("127.0.0.1:0", 1)
    });
    let mut allocated = tcp_client(&server);
    allocated.allocate();
    let begun = Instant::now();
    let silent = connect(server.tcp());
    // One byte at a time, for ever.
    let mut dripping = connect(server.tcp());
    dripping.write_all(&binding(1)[..1]).unwrap();
    let mut unfinished = connect(server.tcp());
    unfinished
        .write_all(&[&binding(1)[..], &binding(2)[..19]].concat())
        .unwrap();
    let mut idle = connect(server.tcp());
    idle.write_all(&binding(1)).unwrap();

    let mut drip = dripping.try_clone().unwrap();
    let dripper = std::thread::spawn(move || {
        for byte in &binding(1)[1..] {
            std::thread::sleep(Duration::from_millis(200));
            if drip.write_all(&[*byte]).is_err() {
                break;
            }
        }
    });
    for (stream, seconds) in [(&silent, 1), (&dripping, 1), (&unfinished, 2), (&idle, 3)] {
        assert_closed(stream);
        let lasted = begun.elapsed();
        assert!(lasted >= Duration::from_secs(seconds), "closed after {lasted:?}");
        assert!(
            lasted < Duration::from_millis(seconds * 1000 + 900),
            "closed after {lasted:?}"
        );
    }
    dripper.join().unwrap();
    server.wait_for("turn_connections_ended_total", "handshake_time", 2.0);
    server.wait_for("turn_connections_ended_total", "frame_time", 1.0);
    server.wait_for("turn_connections_ended_total", "idle", 1.0);
    assert_eq!(allocated.refresh(600), Ok(()));
    // Without its allocation it is like the others.
    assert_eq!(allocated.refresh(0), Ok(()));
    server.wait_for("turn_connections_ended_total", "idle", 2.0);
}

#[test]
fn an_address_has_its_share_of_connections_and_gets_it_back() {
    let server = Server::start(&Config {
        streams: Streams {
            connections: 4,
            connections_per_address: 3,
            ..Streams::default()
        },
        ..config("127.0.0.1:0", 2)
    });
    let ask = |stream: &mut TcpStream| {
        stream.write_all(&binding(1)).unwrap();
        stream.read_exact(&mut [0; 20]).unwrap();
    };
    let mut three: Vec<_> = (0..3).map(|_| connect(server.tcp())).collect();
    three.iter_mut().for_each(ask);
    assert_closed(&connect(server.tcp()));
    server.wait_for("turn_connections_ended_total", "too_many_from_network", 1.0);
    let from = |ip: &str| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket
            .bind(&format!("{ip}:0").parse::<SocketAddr>().unwrap().into())
            .unwrap();
        socket.connect(&server.tcp().into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    };
    let mut fourth = from("127.0.0.2");
    ask(&mut fourth);
    assert_closed(&from("127.0.0.3"));
    server.wait_for("turn_connections_ended_total", "too_many", 1.0);
    drop(three);
    server.wait_for("turn_connections", "tcp", 1.0);
    ask(&mut connect(server.tcp()));
}

#[test]
fn what_is_not_spoken_here_is_closed_at_once_and_counted() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut long = vec![0, 1, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42];
    long.resize(100, 0);
    let cases: [(&[u8], &str); 6] = [
        (b"\x40\x00\x00\x04abcd", "unknown_protocol"),
        (b"\xff\xff\xff\xff", "unknown_protocol"),
        (b"\x00\x01\x00\x00\xde\xad\xbe\xef", "invalid_frame"),
        (b"\x00\x01\x00\x03\x21\x12\xa4\x42", "invalid_frame"),
        (&[&binding(1)[..], b"\x80\x80\x80\x80"].concat(), "invalid_frame"),
        (&long, "long_frame"),
    ];
    for (bytes, reason) in cases {
        let before = server.metric("turn_connections_ended_total", reason);
        let mut stream = connect(server.tcp());
        stream.write_all(bytes).unwrap();
        assert_closed(&stream);
        server.wait_for("turn_connections_ended_total", reason, before + 1.0);
    }
    server.wait_for("turn_connections", "tcp", 0.0);
}

/// What begins as STUN and is none dies like a datagram, and the connection lives on.
#[test]
fn frames_that_are_no_messages_are_dropped_with_the_reasons_of_datagrams() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let mut stream = connect(server.tcp());
    let mut response = binding(1);
    response[0] = 1;
    stream.write_all(&response).unwrap();
    stream.write_all(&binding(2)).unwrap();
    let mut answer = [0; 20];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[8..], [2; 12]);
    server.wait_for("turn_dropped_datagrams_total", "response", 1.0);
}

#[test]
fn tcp_can_be_elsewhere_or_off() {
    let server = Server::start(&Config {
        listen_tcp: Some(vec!["127.0.0.2:0".parse().unwrap()]),
        ..config("127.0.0.1:0", 1)
    });
    assert_eq!(server.tcp().ip().to_string(), "127.0.0.2");
    let off = Server::start(&Config {
        listen_tcp: Some(Vec::new()),
        ..config("127.0.0.1:0", 1)
    });
    assert!(off.running.tcp_listeners().is_empty());
}
