mod reloading;
mod revoking;

use std::net::SocketAddr;

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tower::ServiceExt as _;

use super::*;
use crate::config::Hidden;

const KEY: &str = "0123456789abcdef-key";

fn config() -> Config {
    let mut config = Config::default();
    config.ice.secret = Some(Hidden("north".into()));
    config
}

async fn serve(config: &Config) -> Router {
    let ice = IceServers::from_config(&config.ice).unwrap();
    router(config, ice, &Registry::new(), Shutdown::new())
        .await
        .unwrap()
}

/// Asks and returns the status and the JSON of the answer, or null.
async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::get(path).header("host", "call.example:3001");
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

/// Whoever serves the routes alone has no reloader to hold.
#[tokio::test]
async fn nodes_are_asked_for_as_long_as_the_routes_are_served() {
    let node = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut config = config();
    config.ice.probe_seconds = 1;
    config.ice.nodes = vec![crate::NodeConfig {
        name: "a".into(),
        urls: vec!["turn:a.example".into()],
        region: None,
        weight: 1,
        probe: Some(node.local_addr().unwrap().to_string()),
        secret: None,
        secret_file: None,
        admin: None,
    }];
    let _router = serve(&config).await;
    for _ in 0..2 {
        let mut request = [0; 100];
        let asked = timeout(Duration::from_secs(20), node.recv(&mut request));
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn without_a_key_the_endpoints_are_closed_and_say_what_to_set() {
    let router = serve(&config()).await;
    for path in ["/turn?service=turn", "/ice"] {
        let (status, body) = ask(&router, get(path, &[])).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let error = body["error"].as_str().unwrap();
        assert!(error.contains("signaling.credentials.api_keys"), "{error}");
    }
}

#[tokio::test]
async fn a_key_opens_them_from_any_of_its_places_and_no_other_text_does() {
    let mut config = config();
    config.credentials.api_keys = vec![Hidden("another-key-of-some-length".into()), Hidden(KEY.into())];
    let router = serve(&config).await;
    let bearer = format!("Bearer {KEY}");
    let keyed = format!("/turn?service=turn&key={KEY}");
    for request in [
        get(&keyed, &[]),
        get("/turn?service=turn", &[("x-api-key", KEY)]),
        get("/turn?service=turn", &[("authorization", &bearer)]),
    ] {
        let (status, body) = ask(&router, request).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["uris"][0], "turn:call.example:3478?transport=udp");
    }
    for key in [
        "",
        "0123456789abcdef-ke",
        "0123456789abcdef-key2",
        "0123456789ABCDEF-KEY",
    ] {
        let (status, _) = ask(&router, get("/turn?service=turn", &[("x-api-key", key)])).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{key}");
    }
}

#[tokio::test]
async fn requests_beyond_the_rate_are_told_when_to_come_back() {
    let mut config = config();
    config.credentials.anonymous = true;
    config.credentials.request_burst = 2;
    let router = serve(&config).await;
    for _ in 0..2 {
        assert_eq!(ask(&router, get("/ice", &[])).await.0, StatusCode::OK);
    }
    let response = router.oneshot(get("/ice", &[])).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn an_ice_answer_without_a_readable_host_is_refused_unless_uris_are_configured() {
    let mut config = config();
    config.credentials.anonymous = true;
    let nameless = || {
        Request::get("/ice")
            .header("host", "a b")
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(
        ask(&serve(&config).await, nameless()).await.0,
        StatusCode::BAD_REQUEST
    );
    config.ice.urls = vec!["turn:turn.example".into()];
    let (status, body) = ask(&serve(&config).await, nameless()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["iceServers"][0]["urls"][0], "turn:turn.example");
}

#[tokio::test]
async fn handshakes_of_foreign_pages_are_refused_on_both_paths() {
    let mut config = config();
    config.allowed_origins = vec!["https://app.example".into()];
    let router = serve(&config).await;
    let poll = "/socket.io/?EIO=4&transport=polling";
    for (origin, expected) in [
        ("http://call.example:3001", StatusCode::OK),
        ("https://app.example", StatusCode::OK),
        ("https://app.example.evil", StatusCode::FORBIDDEN),
        ("http://call.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let (status, _) = ask(&router, get(poll, &[("origin", origin)])).await;
        assert_eq!(status, expected, "{origin}");
        let (status, _) = ask(&router, get("/ws", &[("origin", origin)])).await;
        assert_eq!(
            status == StatusCode::FORBIDDEN,
            expected == StatusCode::FORBIDDEN,
            "{origin}"
        );
    }
    let sid = format!("{poll}&sid=x");
    let (status, _) = ask(&router, get(&sid, &[("origin", "null")])).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "also inside a session");
}

#[tokio::test]
async fn a_second_server_cannot_share_the_registry_of_the_first() {
    let registry = Registry::new();
    let config = config();
    let start = || {
        let ice = IceServers::from_config(&config.ice).unwrap();
        router(&config, ice, &registry, Shutdown::new())
    };
    assert!(start().await.is_ok());
    assert!(matches!(start().await, Err(SetupError::Metrics(_))));
}

/// Serves on loopback and returns the answer's first line and its body for a request to `path`.
async fn fetch_over_loopback(config: &Config, path: &str, host: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let service = serve(config)
        .await
        .into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async { axum::serve(listener, service).await });
    let upgrade = match path {
        "/ws" => {
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        }
        _ => "Connection: close\r\n",
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{upgrade}\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let most = client.read(&mut answer).await.unwrap();
    server.abort();
    String::from_utf8_lossy(&answer[..most]).into_owned()
}

#[tokio::test]
async fn a_page_whose_dns_name_leads_to_loopback_gets_no_session_and_no_credential() {
    let mut config = config();
    config.credentials.anonymous = true;
    for path in [
        "/ws",
        "/socket.io/?EIO=4&transport=polling",
        "/ice",
        "/turn?service=turn",
    ] {
        let refused = fetch_over_loopback(&config, path, "evil.example:3001").await;
        assert!(refused.starts_with("HTTP/1.1 403"), "{path}: {refused}");
        assert!(refused.contains("signaling.trusted_proxies"), "{path}: {refused}");
        let admitted = fetch_over_loopback(&config, path, "localhost:3001").await;
        assert!(!admitted.starts_with("HTTP/1.1 4"), "{path}: {admitted}");
    }
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let behind_proxy = fetch_over_loopback(&config, "/ws", "call.example").await;
    assert!(behind_proxy.starts_with("HTTP/1.1 101"), "{behind_proxy}");
}
