//! The path by which a credential is taken back.

use std::sync::Mutex;

use super::*;

/// It has expired, which does no harm.
const OURS: &str = "/v1/turn/keys/any/credentials/1700000000:a%2Fb/revoke";

/// A server whose TURN server in the same process answers as `told` says, and what that was told.
async fn serve_revoking(
    config: &Config,
    told: Result<(), &'static str>,
) -> (Router, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let ice = IceServers::from_config(&config.ice).unwrap();
    let ice = ice.with_revoker(move |username| {
        hears.lock().unwrap().push(username);
        async move { told.map_err(str::to_owned) }
    });
    let router = router(config, ice, &Registry::new(), Shutdown::new())
        .await
        .unwrap();
    (router, heard)
}

fn post_to(path: &str, key: &str) -> Request<Body> {
    let request = Request::post(path).header("host", "call.example:3001");
    let request = request.header("authorization", format!("Bearer {key}"));
    request.body(Body::empty()).unwrap()
}

fn keyed() -> Config {
    let mut config = config();
    config.credentials.api_keys = vec![Hidden(KEY.into())];
    config
}

#[tokio::test]
async fn a_key_takes_a_credential_back_by_its_username() {
    let (router, heard) = serve_revoking(&keyed(), Ok(())).await;
    assert_eq!(
        ask(&router, post_to(OURS, KEY)).await,
        (StatusCode::NO_CONTENT, Value::Null)
    );
    assert_eq!(*heard.lock().unwrap(), ["1700000000:a/b"]);
}

#[tokio::test]
async fn nobody_takes_credentials_back_without_a_key_also_where_they_are_given_to_everyone() {
    let mut open = config();
    open.credentials.anonymous = true;
    for (config, key) in [
        (&keyed(), "another-key-of-some-length"),
        (&keyed(), ""),
        (&open, ""),
        (&open, KEY),
    ] {
        let (router, heard) = serve_revoking(config, Ok(())).await;
        assert_eq!(ask(&router, post_to(OURS, key)).await.0, StatusCode::FORBIDDEN);
        let in_query = post_to(&format!("{OURS}?key={key}"), "");
        assert_eq!(ask(&router, in_query).await.0, StatusCode::FORBIDDEN);
        assert!(heard.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn where_credentials_are_given_to_everyone_a_key_opens_revoking_alone() {
    let mut open = keyed();
    open.credentials.anonymous = true;
    let (router, heard) = serve_revoking(&open, Ok(())).await;
    assert_eq!(ask(&router, get("/ice", &[])).await.0, StatusCode::OK);
    assert_eq!(ask(&router, post_to(OURS, "")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(&router, post_to(OURS, KEY)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn who_may_not_revoke_for_want_of_keys_is_told_what_to_set() {
    let mut open = config();
    open.credentials.anonymous = true;
    for config in [&config(), &open] {
        let (router, _) = serve_revoking(config, Ok(())).await;
        let (status, body) = ask(&router, post_to(OURS, KEY)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let error = body["error"].as_str().unwrap();
        assert!(
            error.contains("signaling.credentials.api_keys") && !error.contains("anonymous"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn only_usernames_that_expire_before_long_can_be_taken_back() {
    let (router, heard) = serve_revoking(&keyed(), Ok(())).await;
    let long = "x".repeat(508);
    for username in ["alice", "%2B17:a", "17x", "99999999999:a", &format!("17:{long}")] {
        let path = format!("/v1/turn/keys/any/credentials/{username}/revoke");
        assert_eq!(
            ask(&router, post_to(&path, KEY)).await.0,
            StatusCode::BAD_REQUEST,
            "{username}"
        );
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_told_is_named() {
    let (router, _) = serve_revoking(&keyed(), Err("the server is stopping")).await;
    let (status, body) = ask(&router, post_to(OURS, KEY)).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(
        body["nodes"],
        serde_json::json!([{ "node": "turn", "error": "the server is stopping" }])
    );
}

#[tokio::test]
async fn where_nobody_can_be_told_the_answer_says_what_to_set() {
    let (status, body) = ask(&serve(&keyed()).await, post_to(OURS, KEY)).await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert!(
        body["error"].as_str().unwrap().contains("signaling.ice.admin"),
        "{body}"
    );
}
