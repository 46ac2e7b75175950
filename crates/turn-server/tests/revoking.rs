//! A running server takes credentials back, in all its workers.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use tower::ServiceExt as _;
use turn_core::{RevokeError as Refused, Secret};
use turn_credentials::{Credential, mint};
use turn_server::{Admin, Config, RevokeError};

use client::Client;
use server::{Server, config, peer};

const TOKEN: &str = "a-token-of-the-tests";

fn server() -> Server {
    Server::start(&Config {
        shared_secrets: vec!["north".into()],
        admin: Admin {
            token: Some(TOKEN.into()),
            ..Admin::default()
        },
        ..config("127.0.0.1:0", 2)
    })
}

fn credential(id: &str) -> Credential {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expires = now + Duration::from_secs(600);
    mint(&Secret::new("north"), Some(id), expires.as_secs())
}

fn client(server: &Server, credential: &Credential) -> Client {
    Client::of(server.udp()).with_credential(&credential.username, &credential.password)
}

#[tokio::test]
async fn a_revoked_credential_is_good_for_nothing_in_any_worker_and_another_one_is() {
    let server = server();
    let (carols, daves) = (credential("carol"), credential("dave"));
    // With so many, no worker is without one but once in 65,536 times, and then nothing fails.
    let mut carol: Vec<_> = (0..16).map(|_| client(&server, &carols)).collect();
    for client in &mut carol {
        client.allocate();
    }
    let mut dave = client(&server, &daves);
    let relayed = dave.allocate();
    server.wait_for("turn_allocations", "", 17.0);

    server.running.revoker().revoke(&carols.username).await.unwrap();
    for client in &mut carol {
        assert_eq!(client.permit(server.udp()), Err(401));
        assert_eq!(client.refresh(600), Err(401));
        assert_eq!(client.allocate_again(None), Err(401));
    }
    server.wait_for("turn_allocations", "", 1.0);
    server.wait_for("turn_auth_failures_total", "revoked", 48.0);

    let peer = peer("127.0.0.1:0");
    dave.permit(peer.local_addr().unwrap()).unwrap();
    dave.send_indication(peer.local_addr().unwrap(), b"still here");
    let mut bytes = [0; 100];
    assert_eq!(peer.recv_from(&mut bytes).unwrap(), (10, relayed));
}

#[tokio::test]
async fn the_endpoint_takes_back_what_it_is_told_by_whoever_has_the_token() {
    let server = server();
    let router = server.running.admin();
    let ask = async |token: &str, username: &str| {
        let body = format!(r#"{{"username":"{username}"}}"#);
        let request = Request::post("/admin/turn/revoke")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        let request = request.body(Body::from(body)).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };
    let carols = credential("carol");
    let mut carol = client(&server, &carols);
    carol.allocate();
    assert_eq!(
        ask("another-token-of-sorts", &carols.username).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask(TOKEN, "alice").await, StatusCode::BAD_REQUEST);
    carol.refresh(600).unwrap();
    assert_eq!(ask(TOKEN, &carols.username).await, StatusCode::NO_CONTENT);
    assert_eq!(carol.refresh(600), Err(401));
}

#[tokio::test]
async fn a_server_that_is_started_again_remembers_what_was_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config {
        shared_secrets: vec!["north".into()],
        ..config("127.0.0.1:0", 2)
    };
    config.admin.revoked_file = Some(folder.path().join("revoked"));
    let (carols, daves) = (credential("carol"), credential("dave"));
    let server = Server::start(&config);
    client(&server, &carols).allocate();
    server.running.revoker().revoke(&carols.username).await.unwrap();
    server.shutdown.request();
    server.running.finished().await.unwrap();

    let server = Server::start(&config);
    client(&server, &daves).allocate();
    for _ in 0..8 {
        let mut carol = client(&server, &carols);
        assert_eq!(carol.refresh(600), Err(401), "the challenge");
        assert_eq!(carol.allocate_again(None), Err(401));
    }
    server.wait_for("turn_auth_failures_total", "revoked", 8.0);
}

/// The secret was left out by mistake, and put back without another start.
#[tokio::test]
async fn what_was_revoked_stays_so_when_its_secret_comes_back_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("revoked");
    let (carols, daves) = (credential("carol"), credential("dave"));
    std::fs::write(&file, format!("\"{}\"\n", carols.username)).unwrap();
    let mut config = config("127.0.0.1:0", 2);
    config.admin.revoked_file = Some(file);
    let server = Server::start(&config);
    config.shared_secrets = vec!["north".into()];
    let reloader = server.running.reloader();
    reloader.prepare(&config).unwrap().apply().await;
    client(&server, &daves).allocate();
    let mut carol = client(&server, &carols);
    assert_eq!(carol.refresh(600), Err(401), "the challenge");
    assert_eq!(carol.allocate_again(None), Err(401));
    server.wait_for("turn_auth_failures_total", "revoked", 1.0);
}

#[tokio::test]
async fn without_a_token_there_is_no_endpoint() {
    let server = Server::start(&config("127.0.0.1:0", 1));
    let request = Request::post("/admin/turn/revoke").body(Body::empty()).unwrap();
    let answer = server.running.admin().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let refused = server.running.revoker().revoke("alice").await;
    assert_eq!(refused, Err(RevokeError::Refused(Refused::NotTimeLimited)));
}

#[tokio::test]
async fn a_server_that_has_ended_says_so() {
    let server = server();
    let revoker = server.running.revoker();
    server.shutdown.request();
    server.running.finished().await.unwrap();
    assert_eq!(revoker.revoke("1:a").await, Err(RevokeError::Silent));
}
