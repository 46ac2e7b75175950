use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::config::Hidden;

const TOKEN: &str = "0123456789abcdef";

/// What a TURN server is asked, and what it answers each time.
struct Fake {
    answers: Vec<StatusCode>,
    asked: AtomicU32,
}

async fn endpoint(
    State(fake): State<Arc<Fake>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    assert_eq!(headers["authorization"], "Bearer 0123456789abcdef");
    assert_eq!(body, json!({ "username": "17:a\"b" }));
    let turn = fake.asked.fetch_add(1, Relaxed) as usize;
    let answer = fake.answers[turn.min(fake.answers.len() - 1)];
    (answer, Json(json!({ "error": "as I said" })))
}

async fn server(answers: &[StatusCode]) -> (String, Arc<Fake>) {
    let fake = Arc::new(Fake {
        answers: answers.to_vec(),
        asked: AtomicU32::new(0),
    });
    let router = Router::new().route("/admin/turn/revoke", post(endpoint));
    let router = router.with_state(Arc::clone(&fake));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    (url, fake)
}

fn revoking(urls: &[&str]) -> Revoking {
    let mut revoking = Revoking::default();
    for (index, url) in urls.iter().enumerate() {
        let config = AdminConfig {
            url: (*url).to_owned(),
            token: Some(Hidden(TOKEN.to_owned())),
            token_file: None,
        };
        revoking.admin(&format!("node{index}"), "key", &config).unwrap();
    }
    revoking
}

#[tokio::test]
async fn every_server_is_told_and_those_that_were_not_are_named() {
    let (first, _) = server(&[StatusCode::NO_CONTENT]).await;
    let (second, asked) = server(&[StatusCode::UNAUTHORIZED]).await;
    let untold = revoking(&[&first, &second]).revoke("17:a\"b").await;
    let expected = Untold {
        node: "node1".to_owned(),
        error: "401 Unauthorized: as I said".to_owned(),
    };
    assert_eq!(untold, [expected]);
    assert_eq!(asked.asked.load(Relaxed), 1, "asking again would not help");
}

#[tokio::test]
async fn a_server_that_cannot_serve_is_asked_again() {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let (url, fake) = server(&[unavailable, unavailable, StatusCode::NO_CONTENT]).await;
    assert_eq!(revoking(&[&url]).revoke("17:a\"b").await, []);
    assert_eq!(fake.asked.load(Relaxed), ATTEMPTS);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let untold = revoking(&[&url]).revoke("17:a\"b").await;
    assert!(untold[0].error.contains("onnect"), "{untold:?}");
}

#[test]
fn no_token_is_printed() {
    let printed = format!("{:?}", revoking(&["http://127.0.0.1:1"]));
    assert_eq!(printed, r#"["node0"]"#);
}
