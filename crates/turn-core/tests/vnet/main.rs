//! The client of the `turn` crate, written by others, behind the NATs of `webrtc-util`'s virtual network.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is a shell: it has clocks and sockets"
)]

mod host;
mod internet;

use std::time::Duration;

use turn_core::{CountedMethod, Direction, Transport};
use webrtc_util::Conn;
use webrtc_util::vnet::nat::EndpointDependencyType::{
    self, EndpointAddrDependent, EndpointAddrPortDependent, EndpointIndependent,
};

use internet::{ECHO, Internet, PASSWORD, SERVER};

#[tokio::test]
async fn binding_tells_the_address_outside_the_nat() {
    let net = Internet::new().await;
    let home = net
        .home("5.6.7.8", EndpointIndependent, EndpointAddrPortDependent)
        .await;
    let client = home.client(PASSWORD).await;
    let reflexive = client.send_binding_request_to(SERVER).await.unwrap();
    assert_eq!(reflexive.ip().to_string(), "5.6.7.8");
}

#[tokio::test]
async fn data_echoes_through_the_relay_behind_a_full_cone_nat() {
    echo_through_relay(EndpointIndependent, EndpointIndependent).await;
}

#[tokio::test]
async fn data_echoes_through_the_relay_behind_a_restricted_cone_nat() {
    echo_through_relay(EndpointIndependent, EndpointAddrDependent).await;
}

#[tokio::test]
async fn data_echoes_through_the_relay_behind_a_port_restricted_cone_nat() {
    echo_through_relay(EndpointIndependent, EndpointAddrPortDependent).await;
}

#[tokio::test]
async fn data_echoes_through_the_relay_behind_a_symmetric_nat() {
    echo_through_relay(EndpointAddrPortDependent, EndpointAddrPortDependent).await;
}

/// Sends until the client has moved from Send indications to its channel, and gets every datagram back.
async fn echo_through_relay(mapping: EndpointDependencyType, filtering: EndpointDependencyType) {
    let net = Internet::new().await;
    let home = net.home("5.6.7.8", mapping, filtering).await;
    let client = home.client(PASSWORD).await;
    let relay = client.allocate().await.unwrap();
    assert_eq!(relay.local_addr().unwrap().ip().to_string(), "1.2.3.4");

    for round in 0..20u32 {
        let sent = format!("datagram {round}");
        relay
            .send_to(sent.as_bytes(), ECHO.parse().unwrap())
            .await
            .unwrap();
        let (received, from) = receive(&relay).await;
        assert_eq!((received, from), (sent, ECHO.to_owned()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let counters = net.turn.counters().await;
    assert_eq!(
        counters.requests(CountedMethod::CreatePermission, Transport::Udp),
        1
    );
    assert_eq!(counters.requests(CountedMethod::ChannelBind, Transport::Udp), 1);
    assert!(
        counters.requests(CountedMethod::Send, Transport::Udp) < 20,
        "the later ones are ChannelData"
    );
    assert_eq!(counters.relayed(Direction::ToPeer).packets, 20);
    assert_eq!(counters.relayed(Direction::ToClient).packets, 20);
}

#[tokio::test]
async fn two_clients_behind_symmetric_nats_meet_relay_to_relay() {
    let net = Internet::new().await;
    let symmetric = EndpointAddrPortDependent;
    let homes = [
        net.home("5.6.7.8", symmetric, symmetric).await,
        net.home("5.6.7.9", symmetric, symmetric).await,
    ];
    let clients = [homes[0].client(PASSWORD).await, homes[1].client(PASSWORD).await];
    let (left, right) = (
        clients[0].allocate().await.unwrap(),
        clients[1].allocate().await.unwrap(),
    );
    let (left_at, right_at) = (left.local_addr().unwrap(), right.local_addr().unwrap());

    // The first datagram of each side makes its permission; it may come too early for the other one.
    left.send_to(b"knock", right_at).await.unwrap();
    right.send_to(b"knock", left_at).await.unwrap();
    for round in 0..10u32 {
        let (there, back) = (format!("there {round}"), format!("back {round}"));
        left.send_to(there.as_bytes(), right_at).await.unwrap();
        assert_eq!(receive_after_knock(&right).await, (there, left_at.to_string()));
        right.send_to(back.as_bytes(), left_at).await.unwrap();
        assert_eq!(receive_after_knock(&left).await, (back, right_at.to_string()));
    }
}

#[tokio::test]
async fn a_stranger_without_permission_does_not_reach_the_client() {
    let net = Internet::new().await;
    let home = net
        .home("5.6.7.8", EndpointIndependent, EndpointIndependent)
        .await;
    let client = home.client(PASSWORD).await;
    let relay = client.allocate().await.unwrap();
    let stranger = net.outside("1.2.3.66:9999").await;
    stranger
        .send_to(b"let me in", relay.local_addr().unwrap())
        .await
        .unwrap();

    relay.send_to(b"hello", ECHO.parse().unwrap()).await.unwrap();
    let (received, _) = receive(&relay).await;
    assert_eq!(received, "hello", "the first that arrives is the echo");
    assert_eq!(
        net.turn
            .counters()
            .await
            .dropped(turn_core::DropReason::NoPermission),
        1
    );
}

#[tokio::test]
async fn a_wrong_password_gets_no_relay() {
    let net = Internet::new().await;
    let home = net
        .home("5.6.7.8", EndpointIndependent, EndpointIndependent)
        .await;
    let client = home.client("not the password").await;
    assert!(client.allocate().await.is_err());
    let counters = net.turn.counters().await;
    assert_eq!(counters.auth_failures(turn_core::AuthFailure::WrongPassword), 1);
    assert_eq!(counters.allocations_created, 0);
}

#[tokio::test]
async fn closing_frees_the_relay_at_once() {
    let net = Internet::new().await;
    let home = net
        .home("5.6.7.8", EndpointIndependent, EndpointAddrPortDependent)
        .await;
    let client = home.client(PASSWORD).await;
    let relay = client.allocate().await.unwrap();
    assert_eq!(net.turn.counters().await.relay_ports_in_use, 1);
    relay.close().await.unwrap();
    let freed = async {
        while net.turn.counters().await.relay_ports_in_use > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed)
        .await
        .expect("the port is free again");
}

async fn receive(relay: &impl Conn) -> (String, String) {
    let mut buffer = [0; 2048];
    let waited = tokio::time::timeout(Duration::from_secs(5), relay.recv_from(&mut buffer)).await;
    let (len, from) = waited.expect("an answer within five seconds").unwrap();
    (
        String::from_utf8(buffer[..len].to_vec()).unwrap(),
        from.to_string(),
    )
}

async fn receive_after_knock(relay: &impl Conn) -> (String, String) {
    loop {
        let (text, from) = receive(relay).await;
        if text != "knock" {
            return (text, from);
        }
    }
}
