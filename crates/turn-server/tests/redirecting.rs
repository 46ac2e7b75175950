//! New clients are sent to another server that is there, and a server that drains makes no new allocations.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod secured;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    net::{SocketAddr, UdpSocket},
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use lifecycle::Shutdown;
use stun_wire::{AttributeType, Message};
use telemetry::{Health, prometheus::Registry};
use turn_server::{
    Alternate, AlternateMode, AlternateServer, AlternateTransport, Config, Surroundings, start,
};

use client::{Client, wire::Wire};
use secured::Secured;
use server::{Server, config};

fn other(address: SocketAddr, transport: AlternateTransport) -> AlternateServer {
    AlternateServer {
        address,
        transport,
        weight: 1,
        domain: None,
    }
}

fn redirecting(mode: AlternateMode, servers: Vec<AlternateServer>) -> Config {
    Config {
        alternate: Alternate {
            mode,
            servers,
            check_interval: 1,
        },
        ..config("127.0.0.1:0", 2)
    }
}

/// Asks for a relay, and tells where the client was sent.
fn sent_to(client: &mut Client) -> SocketAddr {
    let asked = (0..2).map(|_| client.allocate_again(None)).last();
    assert_eq!(asked, Some(Err(300)));
    let message = Message::parse(&client.refusal).unwrap();
    let address = message.address(AttributeType::ALTERNATE_SERVER);
    address.unwrap().unwrap()
}

#[test]
fn clients_are_sent_to_a_server_that_is_there_and_stay_once_it_is_gone() {
    let there = Server::start(&config("127.0.0.1:0", 1));
    let servers = vec![
        other(there.udp(), AlternateTransport::Udp),
        other(there.tcp(), AlternateTransport::Tcp),
    ];
    let here = Server::start(&redirecting(AlternateMode::Always, servers));
    here.wait_for("turn_alternate_servers", "answering", 2.0);

    let mut over_udp = Client::of(here.udp());
    let address = sent_to(&mut over_udp);
    assert_eq!(address, there.udp());
    Client::of(address).allocate();
    let mut over_tcp = Client::by(Wire::tcp(here.tcp()), here.tcp());
    let address = sent_to(&mut over_tcp);
    assert_eq!(address, there.tcp());
    Client::by(Wire::tcp(address), address).allocate();
    assert_eq!(here.metric("turn_allocations_created_total", ""), 0.0);
    here.wait_for("turn_errors_total", "300", 2.0);

    drop(there);
    here.wait_for("turn_alternate_servers", "silent", 2.0);
    over_udp.allocate_again(None).unwrap();
    over_tcp.allocate_again(None).unwrap();
}

/// Whatever listens on a port need not be a STUN server, and need not speak TLS.
#[test]
fn only_a_server_that_answers_is_there() {
    let secured = Secured::new();
    let there = Server::start_with(
        &Config {
            listen_tls: Some(vec!["127.0.0.1:0".parse().unwrap()]),
            ..config("127.0.0.1:0", 1)
        },
        |surroundings| surroundings.with_certificates(secured.certificates.clone()),
    );
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = vec![
        other(there.running.tls_listeners()[0], AlternateTransport::Tls),
        other(mute.local_addr().unwrap(), AlternateTransport::Udp),
        other(mute.local_addr().unwrap(), AlternateTransport::Dtls),
        other(deaf.local_addr().unwrap(), AlternateTransport::Tcp),
        other(deaf.local_addr().unwrap(), AlternateTransport::Tls),
    ];
    let here = Server::start(&redirecting(AlternateMode::Always, servers));
    here.wait_for("turn_alternate_servers", "answering", 1.0);
    // Every check is over by then.
    sleep(Duration::from_secs(4));
    assert_eq!(here.metric("turn_alternate_servers", "answering"), 1.0);
    Client::of(here.udp()).allocate();
}

#[test]
fn a_full_server_sends_the_next_one_on() {
    let there = Server::start(&config("127.0.0.1:0", 1));
    let servers = vec![other(there.udp(), AlternateTransport::Udp)];
    let mut full = redirecting(AlternateMode::Full, servers);
    full.limits.allocations = 1;
    let here = Server::start(&full);
    here.wait_for("turn_alternate_servers", "answering", 1.0);
    Client::of(here.udp()).allocate();
    assert_eq!(sent_to(&mut Client::of(here.udp())), there.udp());
}

/// A server that can be told to end, and the thread it ends on.
struct Ending {
    registry: Registry,
    health: Health,
    shutdown: Shutdown,
    address: SocketAddr,
    address_over_tcp: SocketAddr,
    ended: JoinHandle<Instant>,
}

fn ending(config: &Config) -> Ending {
    let (registry, health, shutdown) = (Registry::new(), Health::new(), Shutdown::new());
    let running = start(config, Surroundings::new(&registry, &health, shutdown.clone())).unwrap();
    let address = running.listeners()[0];
    let address_over_tcp = running.tcp_listeners()[0];
    let ended = spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(running.finished()).unwrap();
        Instant::now()
    });
    Ending {
        registry,
        health,
        shutdown,
        address,
        address_over_tcp,
        ended,
    }
}

impl Ending {
    fn wait_until_draining(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let gauge = || {
            let families = self.registry.gather();
            let family = families.iter().find(|family| family.name() == "turn_draining");
            family.unwrap().get_metric()[0].get_gauge().get_value()
        };
        while gauge() != 1.0 {
            assert!(Instant::now() < deadline, "it never drains");
            sleep(Duration::from_millis(5));
        }
    }
}

fn draining_for(seconds: u32) -> Config {
    Config {
        drain_seconds: seconds,
        ..config("127.0.0.1:0", 2)
    }
}

#[test]
fn a_draining_server_serves_the_allocations_there_are_until_they_end() {
    let server = ending(&draining_for(60));
    let mut client = Client::of(server.address);
    client.allocate();
    server.shutdown.request();
    server.wait_until_draining();
    assert!(server.health.is_draining());

    let mut late = Client::of(server.address);
    assert_eq!(late.allocate_again(None), Err(401));
    assert_eq!(late.allocate_again(None), Err(508));
    client.refresh(600).unwrap();
    sleep(Duration::from_secs(1));
    client.permit("127.0.0.1:9".parse().unwrap()).unwrap();
    assert!(!server.ended.is_finished());

    let freed = Instant::now();
    client.refresh(0).unwrap();
    let ended = server.ended.join().unwrap();
    assert!(ended - freed < Duration::from_secs(20), "{:?}", ended - freed);
}

/// Who answers Binding to the end is not sent clients that it would send back.
#[test]
fn nobody_is_sent_to_a_server_that_drains() {
    let there = ending(&draining_for(60));
    Client::of(there.address).allocate();
    let over_tcp = other(there.address_over_tcp, AlternateTransport::Tcp);
    let servers = vec![other(there.address, AlternateTransport::Udp), over_tcp];
    let here = Server::start(&redirecting(AlternateMode::Always, servers));
    here.wait_for("turn_alternate_servers", "answering", 2.0);
    there.shutdown.request();
    there.wait_until_draining();
    here.wait_for("turn_alternate_servers", "silent", 2.0);
    Client::of(here.udp()).allocate();
}

#[test]
fn a_drain_ends_when_its_time_is_over() {
    let server = ending(&draining_for(2));
    Client::of(server.address).allocate();
    let asked = Instant::now();
    server.shutdown.request();
    let took = server.ended.join().unwrap() - asked;
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(20)).contains(&took),
        "{took:?}"
    );
}

#[test]
fn without_time_to_drain_a_server_ends_at_once() {
    let server = ending(&draining_for(0));
    Client::of(server.address).allocate();
    let asked = Instant::now();
    server.shutdown.request();
    let took = server.ended.join().unwrap() - asked;
    assert!(took < Duration::from_secs(2), "{took:?}");
}
