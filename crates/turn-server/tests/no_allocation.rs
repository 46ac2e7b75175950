//! No worker thread touches the heap while it relays.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(
    unsafe_code,
    reason = "a global allocator that counts can only be written with it"
)]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[cfg(feature = "dtls")]
#[allow(dead_code, reason = "other tests use the rest")]
mod dtls_client;
#[allow(dead_code, reason = "other tests use the rest")]
mod identity;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::{SocketAddr, UdpSocket},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use lifecycle::Shutdown;
use telemetry::{Health, prometheus::Registry};
use turn_server::{Config, Peers, Running, Surroundings, start};

use client::{Client, PASSWORD, Relayed, USER, wire::Wire};
use identity::Identity;

/// Datagrams each way.
const DATAGRAMS: u32 = 10_000;
const PAYLOAD: [u8; 160] = [0x5a; 160];

/// Counts what every thread but the test's own takes from the heap or gives back.
struct Counting;

static COUNTED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static EXEMPT: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    // While a thread is being torn down its flag is gone; what it does then is not relaying.
    if !EXEMPT.try_with(Cell::get).unwrap_or(true) {
        COUNTED.fetch_add(1, SeqCst);
    }
}

// SAFETY: every call goes to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `exchange` often enough to fill every table and queue, then 10,000 times under the counter.
fn assert_no_heap_use(what: &str, exchange: impl FnMut()) {
    assert_no_heap_use_in(DATAGRAMS, what, exchange);
}

fn assert_no_heap_use_in(times: u32, what: &str, mut exchange: impl FnMut()) {
    (0..times / 10).for_each(|_| exchange());
    let before = COUNTED.load(SeqCst);
    (0..times).for_each(|_| exchange());
    // Figures are published a moment later; that must not touch the heap either.
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(
        COUNTED.load(SeqCst) - before,
        0,
        "heap calls while relaying {what}"
    );
}

/// Counting is of the whole process: tests take turns where they share one.
static TURN: Mutex<()> = Mutex::new(());

fn serve(registry: &Registry) -> Running {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        users: [(USER.to_owned(), PASSWORD.into())].into(),
        peers: Peers {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            deny: Vec::new(),
        },
        workers: 2,
        ..Config::default()
    };
    start(
        &config,
        Surroundings::new(registry, &Health::new(), Shutdown::new())
            .with_certificates(Identity::new().certificates.clone()),
    )
    .unwrap()
}

#[test]
fn ten_thousand_datagrams_each_way_leave_the_heap_alone() {
    EXEMPT.set(true);
    let _turn = TURN.lock();
    let running = serve(&Registry::new());
    let server = running.listeners()[0];
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let home = peer.local_addr().unwrap();
    let mut bytes = [0; 2048];

    let mut by_channel = Client::of(server);
    let relayed = by_channel.allocate();
    by_channel.bind(0x4000, home).unwrap();
    let started = COUNTED.load(SeqCst);
    assert!(started > 0, "the workers' threads are counted");
    assert_no_heap_use("ChannelData", || {
        by_channel.send_channel(0x4000, &PAYLOAD);
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
        peer.send_to(&PAYLOAD, relayed).unwrap();
        assert_eq!(by_channel.receive(&mut bytes), Relayed::Channel(0x4000, &PAYLOAD));
    });

    let mut by_indication = Client::of(server);
    let relayed = by_indication.allocate();
    by_indication.permit(home).unwrap();
    assert_no_heap_use("indications", || {
        by_indication.send_indication(home, &PAYLOAD);
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
        peer.send_to(&PAYLOAD, relayed).unwrap();
        assert_eq!(by_indication.receive(&mut bytes), Relayed::Data(home, &PAYLOAD));
    });

    let mut over_tcp = Client::by(Wire::tcp(running.tcp_listeners()[0]), running.tcp_listeners()[0]);
    let relayed = over_tcp.allocate();
    over_tcp.bind(0x4000, home).unwrap();
    assert_no_heap_use("ChannelData over TCP", || {
        over_tcp.send_channel(0x4000, &PAYLOAD);
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
        peer.send_to(&PAYLOAD, relayed).unwrap();
        assert_eq!(over_tcp.receive(&mut bytes), Relayed::Channel(0x4000, &PAYLOAD));
    });
    // Frames that begin in one segment and end in another.
    let mut frames = [0x40, 0, 0, 160].to_vec();
    frames.extend_from_slice(&PAYLOAD);
    let frames = frames.repeat(2);
    assert_no_heap_use("split frames over TCP", || {
        over_tcp.wire.send_raw(&frames[..200]);
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
        over_tcp.wire.send_raw(&frames[200..]);
        assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
    });

    #[cfg(feature = "dtls")]
    {
        let over_dtls = &mut dtls_client::connect(server);
        let relayed = over_dtls.allocate();
        over_dtls.bind(0x4000, home).unwrap();
        // OpenSSL has a heap of its own, which is not counted.
        assert_no_heap_use("ChannelData over DTLS", || {
            over_dtls.send_channel(0x4000, &PAYLOAD);
            assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
            peer.send_to(&PAYLOAD, relayed).unwrap();
            assert_eq!(over_dtls.receive(&mut bytes), Relayed::Channel(0x4000, &PAYLOAD));
        });
        let hello = include_bytes!("../../../fuzz/seeds/client_hello/openssl-first");
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_no_heap_use("nothing, as a cookie is asked for", || {
            stranger.send_to(hello, server).unwrap();
            assert_eq!(stranger.recv(&mut bytes).unwrap(), 44);
        });
    }

    for (what, wanted) in [
        ("hairpins within a worker", true),
        ("hairpins across workers", false),
    ] {
        let [one, other] = pair(server, wanted);
        assert_no_heap_use(what, || {
            one.send_channel(0x4000, &PAYLOAD);
            assert_eq!(other.receive(&mut bytes), Relayed::Channel(0x4000, &PAYLOAD));
            other.send_channel(0x4000, &PAYLOAD);
            assert_eq!(one.receive(&mut bytes), Relayed::Channel(0x4000, &PAYLOAD));
        });
    }

    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut lengths = (0..1500).cycle();
    assert_no_heap_use("nothing, as all is malformed", || {
        let length = lengths.next().unwrap();
        stranger.send_to(&bytes[..length], server).unwrap();
    });
}

/// In one piece on the way in and out, and more than the server takes in hand at a time.
#[test]
fn runs_leave_the_heap_alone() {
    EXEMPT.set(true);
    let _turn = TURN.lock();
    let registry = Registry::new();
    let running = serve(&registry);
    let server = running.listeners()[0];
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut client = Client::of(server);
    let relayed = client.allocate();
    client.bind(0x4000, peer.local_addr().unwrap()).unwrap();
    let Wire::Datagrams(socket) = &client.wire else {
        panic!("a client by UDP")
    };
    let frame = [&[0x40, 0, 0, 160][..], &PAYLOAD].concat();
    let mut bytes = [0; 2048];
    for count in [8, 100] {
        assert_no_heap_use_in(DATAGRAMS / count as u32, "runs", || {
            send_run(socket, frame.len(), &frame.repeat(count), server);
            for _ in 0..count {
                assert_eq!(peer.recv_from(&mut bytes).unwrap(), (PAYLOAD.len(), relayed));
            }
            send_run(&peer, PAYLOAD.len(), &PAYLOAD.repeat(count), relayed);
            for _ in 0..count {
                assert_eq!(client.receive(&mut bytes), Relayed::Channel(0x4000, &PAYLOAD));
            }
        });
    }
    #[cfg(target_os = "linux")]
    assert!(runs_sent(&registry) > 0.0, "runs leave in one piece");
}

/// Sends datagrams of a length, at most 64 in one piece.
#[cfg(target_os = "linux")]
fn send_run(socket: &UdpSocket, length: usize, datagrams: &[u8], to: SocketAddr) {
    cut_after(socket, length);
    for run in datagrams.chunks(64 * length) {
        socket.send_to(run, to).unwrap();
    }
    cut_after(socket, 0);
}

/// Has what a socket sends cut into datagrams of this length; 0 leaves it whole.
#[cfg(target_os = "linux")]
fn cut_after(socket: &UdpSocket, length: usize) {
    let length = length as libc::c_int;
    // SAFETY: the option's value is a c_int that lives through the call, and its true size is given.
    let result = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(socket),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const length).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

#[cfg(not(target_os = "linux"))]
fn send_run(socket: &UdpSocket, length: usize, datagrams: &[u8], to: SocketAddr) {
    for datagram in datagrams.chunks(length) {
        socket.send_to(datagram, to).unwrap();
    }
}

/// How many runs the server sent in one piece.
#[cfg(target_os = "linux")]
fn runs_sent(registry: &Registry) -> f64 {
    let families = registry.gather();
    let runs = families
        .iter()
        .find(|family| family.name() == "turn_datagram_runs_total");
    let metrics = runs.unwrap().get_metric().iter();
    metrics
        .filter(|metric| metric.get_label().iter().any(|label| label.value() == "sent"))
        .map(|metric| metric.get_counter().get_value())
        .sum()
}

/// Two clients with channels to each other's relays, both of one worker or not.
fn pair(server: SocketAddr, same_worker: bool) -> [Client; 2] {
    let mut one = Client::of(server);
    let relay = one.allocate();
    // A port's worker: pairs of ports take turns.
    let worker = |port: u16| port / 2 % 2;
    loop {
        let mut other = Client::of(server);
        let other_relay = other.allocate();
        if (worker(relay.port()) == worker(other_relay.port())) == same_worker {
            one.bind(0x4000, other_relay).unwrap();
            other.bind(0x4000, relay).unwrap();
            return [one, other];
        }
        other.refresh(0).unwrap();
    }
}
