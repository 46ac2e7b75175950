//! Ten thousand idle allocations: what they cost in memory, and that they do not slow anyone down.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail loudly, and figures are for people"
)]
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use client::{Client, PASSWORD, Relayed, USER};

const ALLOCATIONS: usize = 10_000;
/// What they may add to the resident memory of the process.
const BOUND: usize = 60 << 20;
const EXCHANGES: u32 = 5_000;
/// How long to watch the server do nothing.
const IDLE: Duration = Duration::from_secs(3);

/// A server process of its own, so that only its memory is counted; ended with the test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let users = format!("turn.users={{ {USER} = \"{PASSWORD}\" }}");
        let mut process = Command::new(env!("CARGO_BIN_EXE_turn-server"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--set",
                "metrics.listen=127.0.0.1:0",
                "--set",
                &users,
            ])
            .args([
                "--set",
                "turn.peers.allow=[\"127.0.0.0/8\"]",
                "--set",
                "turn.limits.unauthorized_per_second=0",
            ])
            .args(["--set", "turn.limits.allocations_per_user=16384"])
            // Other tests' servers have their relays on 127.0.0.1, and would find its ports taken.
            .args(["--set", "turn.relay.addresses=[{ local = \"127.0.0.3\" }]"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let line = lines.find(|line| line.contains("TURN and STUN at udp ")).unwrap();
        let address = line.split("udp ").nth(1).unwrap().parse().unwrap();
        // Reading on keeps the pipe from filling.
        thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    fn resident(&self) -> usize {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.process.id())).unwrap();
        let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    /// How often its workers have gone to sleep so far.
    fn sleeps(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let of_worker = |task: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let value = |key: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(key))
                    .unwrap()
                    .trim()
                    .to_owned()
            };
            value("Name:")
                .starts_with("turn-")
                .then(|| value("voluntary_ctxt_switches:").parse::<u64>().unwrap())
        };
        tasks.filter_map(of_worker).sum()
    }

    /// Processor time of all its threads.
    fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanos = tasks.map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's processor time for one datagram each way through `client`'s channel.
fn cost_of_an_exchange(server: &Server, client: &Client, peer: &UdpSocket) -> Duration {
    let mut bytes = [0; 2048];
    let before = server.cpu();
    for _ in 0..EXCHANGES {
        client.send_channel(0x4000, &[1; 160]);
        let (len, relayed) = peer.recv_from(&mut bytes).unwrap();
        peer.send_to(&bytes[..len], relayed).unwrap();
        assert_eq!(client.receive(&mut bytes), Relayed::Channel(0x4000, &[1; 160]));
    }
    (server.cpu() - before) / EXCHANGES
}

#[test]
fn ten_thousand_idle_allocations_are_cheap_and_slow_nobody_down() {
    let limit = datagram_io::raise_descriptor_limit(ALLOCATIONS as u64 + 1000).unwrap();
    assert!(limit.is_enough(), "{limit}");
    let server = Server::start();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut caller = Client::of(server.address);
    caller.allocate();
    caller.bind(0x4000, peer.local_addr().unwrap()).unwrap();
    cost_of_an_exchange(&server, &caller, &peer);
    let alone = cost_of_an_exchange(&server, &caller, &peer);

    let before = (server.resident(), server.cpu());
    // Elsewhere, so that their own ports are not taken from the range of relays.
    let home = "127.0.0.2:0".parse().unwrap();
    let clients: Vec<_> = (1..ALLOCATIONS)
        .map(|_| {
            let mut client = Client::at(home, server.address);
            client.allocate();
            client
        })
        .collect();
    let set_up = (server.cpu() - before.1) / clients.len() as u32;
    let grown = server.resident().saturating_sub(before.0);
    // The last figures are published within a tenth of a second; after that nothing is left to do.
    thread::sleep(Duration::from_millis(500));
    let asleep = server.sleeps();
    thread::sleep(IDLE);
    let woken = server.sleeps() - asleep;
    let among_others = cost_of_an_exchange(&server, &caller, &peer);

    println!(
        "{ALLOCATIONS} idle allocations: {} kB resident beyond {} kB, {} B each; setting one up takes {set_up:?}; \
         an exchange takes {alone:?} alone and {among_others:?} among them; {woken} wake-ups in {IDLE:?}",
        grown >> 10,
        before.0 >> 10,
        grown / ALLOCATIONS,
    );
    assert!(woken <= 2 * IDLE.as_secs(), "{woken} wake-ups in {IDLE:?}");
    assert!(grown < BOUND, "{grown} bytes");
    // A scan over all allocations would cost a hundred times more; a busy machine does not.
    assert!(among_others < 20 * alone, "{among_others:?} instead of {alone:?}");
}
