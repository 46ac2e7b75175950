//! A running server is given another configuration, in all its workers.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use rlimit::Resource;
use turn_server::Config;

use client::{Client, PASSWORD};
use server::{Server, config, peer};

/// The configuration of these tests, with this user.
fn for_user(name: &str) -> Config {
    Config {
        users: [(name.to_owned(), PASSWORD.into())].into(),
        ..config("127.0.0.1:0", 2)
    }
}

#[tokio::test]
async fn every_worker_takes_other_users_and_rules_and_what_is_relayed_goes_on() {
    let server = Server::start(&for_user("alice"));
    // With so many, no worker is without one but once in 65,536 times, and then nothing fails.
    let mut clients: Vec<_> = (0..16).map(|_| Client::of(server.udp())).collect();
    let (near, far) = (peer("127.0.0.1:0"), peer("127.0.0.2:0"));
    for client in &mut clients {
        client.allocate();
        client.bind(0x4000, near.local_addr().unwrap()).unwrap();
        client.permit(far.local_addr().unwrap()).unwrap();
    }
    let mut wanted = for_user("carol");
    wanted.peers.deny = vec!["127.0.0.2".parse().unwrap()];
    let reloader = server.running.reloader();
    reloader.prepare(&wanted).unwrap().apply().await;
    for client in &mut clients {
        client.send_channel(0x4000, b"on");
        let mut heard = [0; 16];
        assert_eq!(near.recv_from(&mut heard).unwrap().0, 2);
        assert_eq!(client.refresh(600), Err(401));
        let mut carol = Client::of(server.udp()).with_credential("carol", PASSWORD);
        carol.allocate();
        assert_eq!(carol.permit(far.local_addr().unwrap()), Err(403));
    }
}

#[tokio::test]
async fn what_has_mistakes_or_is_not_applied_changes_nothing() {
    let server = Server::start(&for_user("alice"));
    let mut alice = Client::of(server.udp());
    alice.allocate();
    let reloader = server.running.reloader();
    drop(reloader.prepare(&for_user("carol")).unwrap());
    let mut wrong = for_user("carol");
    wrong.limits.allocations = 0;
    wrong.lifetimes.nonce = 0;
    wrong.shared_secret_file = Some("/nowhere/secret".into());
    let mistakes = reloader.prepare(&wrong).err().unwrap();
    let keys: Vec<_> = mistakes
        .iter()
        .filter_map(|mistake| mistake.split(':').next())
        .collect();
    assert_eq!(
        keys,
        [
            "turn.shared_secret_file",
            "turn.lifetimes.nonce",
            "turn.limits.allocations"
        ]
    );
    assert!(alice.refresh(600).is_ok());
}

#[tokio::test]
async fn a_quota_of_all_workers_is_lowered_and_raised() {
    let server = Server::start(&for_user("alice"));
    let quota = |n| {
        let mut wanted = for_user("alice");
        wanted.limits.allocations_per_user = n;
        wanted
    };
    let reloader = server.running.reloader();
    reloader.prepare(&quota(1)).unwrap().apply().await;
    Client::of(server.udp()).allocate();
    let mut second = Client::of(server.udp());
    assert_eq!(second.refresh(600), Err(401), "the challenge");
    assert_eq!(second.allocate_again(None), Err(486));
    reloader.prepare(&quota(2)).unwrap().apply().await;
    second.allocate_again(None).unwrap();
}

#[tokio::test]
async fn a_limit_that_is_raised_gets_its_descriptors() {
    let (_, hard) = Resource::NOFILE.get().unwrap();
    Resource::NOFILE.set(512, hard).unwrap();
    let mut config = for_user("alice");
    config.limits.allocations = 10;
    config.streams.connections = 10;
    let server = Server::start(&config);
    let needed = config.descriptors(2);
    config.limits.allocations = 1000;
    let wanted = config.descriptors(2);
    assert!(needed <= 512 && wanted > 512, "{needed} and then {wanted}");
    let reloader = server.running.reloader();
    reloader.prepare(&config).unwrap().apply().await;
    let (soft, _) = Resource::NOFILE.get().unwrap();
    assert_eq!(soft, wanted);
}
