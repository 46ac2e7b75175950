//! The administrative endpoint: for whoever holds the token, beside the metrics.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::{sync::Semaphore, time::sleep};

use crate::{RevokeError, Revoker};

/// What a body may have, in bytes: the longest username, every byte of it escaped.
const MAX_BODY: usize = 4096;
/// Wrong tokens that are looked at at a time, and how long each takes.
const GUESSES: usize = 8;
const GUESS: Duration = Duration::from_millis(250);

/// What opens the routes, while they are served; clones share it.
#[derive(Clone)]
pub(crate) struct Token(Arc<ArcSwapOption<[u8; 32]>>);

impl Token {
    pub(crate) fn new(text: Option<&str>) -> Self {
        Self(Arc::new(ArcSwapOption::new(text.map(digest).map(Arc::new))))
    }

    /// Takes another one from here on, or none.
    pub(crate) fn set(&self, text: Option<&str>) {
        self.0.store(text.map(digest).map(Arc::new));
    }
}

/// Routes that take only requests with the token; while there is none, they are not there.
pub(crate) fn router(token: Token, revoker: Revoker) -> Router {
    let guard = Guard {
        token,
        guesses: Arc::new(Semaphore::new(GUESSES)),
    };
    Router::new()
        .route("/admin/turn/revoke", post(revoke).with_state(revoker))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        // Not around the fallback: this is merged with other pages.
        .route_layer(from_fn_with_state(guard, admit))
}

#[derive(Clone)]
struct Guard {
    /// Comparing digests takes the same time for any token.
    token: Token,
    guesses: Arc<Semaphore>,
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

async fn admit(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Some(known) = guard.token.0.load_full() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let token = bearer(request.headers()).unwrap_or_default();
    if bool::from(digest(token).ct_eq(&*known)) {
        return next.run(request).await;
    }
    let Ok(_guess) = guard.guesses.try_acquire() else {
        return refusal(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens");
    };
    sleep(GUESS).await;
    let mut response = refusal(
        StatusCode::UNAUTHORIZED,
        "give the token of turn.admin as Authorization: Bearer",
    );
    let challenge = header::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    username: String,
}

async fn revoke(State(revoker): State<Revoker>, body: Result<Json<Revocation>, JsonRejection>) -> Response {
    let username = match body {
        Ok(Json(revocation)) => revocation.username,
        Err(error) => return refusal(error.status(), "send {\"username\": \"…\"} as JSON"),
    };
    match revoker.revoke(&username).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let status = match error {
                RevokeError::Refused(
                    turn_core::RevokeError::NotTimeLimited | turn_core::RevokeError::TooLasting,
                ) => StatusCode::BAD_REQUEST,
                RevokeError::Refused(turn_core::RevokeError::TooMany)
                | RevokeError::Silent
                | RevokeError::NotKept => StatusCode::SERVICE_UNAVAILABLE,
            };
            refusal(status, &error.to_string())
        }
    }
}

fn refusal(status: StatusCode, what: &str) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a str,
    }
    (status, Json(Body { error: what })).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;
    use crate::worker::mail::{Letterboxes, mail};

    const TOKEN: &str = "0123456789abcdef";

    async fn ask(router: &Router, authorization: Option<&str>, body: &str) -> StatusCode {
        let mut request = Request::post("/admin/turn/revoke").header("content-type", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_without_the_token_is_listened_to() {
        // No worker is there, so whoever is listened to is told that the server stops.
        let router = router(
            Token::new(Some(TOKEN)),
            Revoker::new(Letterboxes::of(&mail([])), None),
        );
        let body = r#"{"username":"1:a"}"#;
        for wrong in [
            None,
            Some(""),
            Some("Bearer "),
            Some("Bearer 0123456789abcde"),
            Some("Bearer 0123456789abcdef0"),
            Some("Basic 0123456789abcdef"),
            Some(TOKEN),
        ] {
            assert_eq!(
                ask(&router, wrong, body).await,
                StatusCode::UNAUTHORIZED,
                "{wrong:?}"
            );
        }
        let right = Some("Bearer 0123456789abcdef");
        assert_eq!(ask(&router, right, body).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&router, right, "{}").await, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(ask(&router, right, "{").await, StatusCode::BAD_REQUEST);
        let long = format!(r#"{{"username":"{}"}}"#, "x".repeat(MAX_BODY));
        assert_eq!(ask(&router, right, &long).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn other_paths_beside_it_need_no_token() {
        let admin = router(
            Token::new(Some(TOKEN)),
            Revoker::new(Letterboxes::of(&mail([])), None),
        );
        let pages = telemetry::router(prometheus::Registry::new(), telemetry::Health::new()).merge(admin);
        for (path, expected) in [
            ("/healthz", StatusCode::OK),
            ("/favicon.ico", StatusCode::NOT_FOUND),
            ("/admin/turn", StatusCode::NOT_FOUND),
            ("/admin/turn/revoke", StatusCode::UNAUTHORIZED),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = pages.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), expected, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_faster_than_guesses_are_looked_at_is_told_so() {
        let router = router(
            Token::new(Some(TOKEN)),
            Revoker::new(Letterboxes::of(&mail([])), None),
        );
        let guesses = (0..=GUESSES).map(|_| {
            let router = router.clone();
            tokio::spawn(async move { ask(&router, Some("Bearer wrong"), "{}").await })
        });
        let mut refused = 0;
        for guess in guesses.collect::<Vec<_>>() {
            refused += usize::from(guess.await.unwrap() == StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(refused, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_token_changes_comes_and_goes_while_the_routes_are_served() {
        let token = Token::new(None);
        let router = router(token.clone(), Revoker::new(Letterboxes::of(&mail([])), None));
        let (old, new) = (Some("Bearer 0123456789abcdef"), Some("Bearer fedcba9876543210"));
        assert_eq!(ask(&router, old, "{}").await, StatusCode::NOT_FOUND);
        token.set(Some(TOKEN));
        assert_eq!(ask(&router, old, "{}").await, StatusCode::UNPROCESSABLE_ENTITY);
        token.set(Some("fedcba9876543210"));
        assert_eq!(ask(&router, old, "{}").await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(&router, new, "{}").await, StatusCode::UNPROCESSABLE_ENTITY);
        token.set(None);
        assert_eq!(ask(&router, new, "{}").await, StatusCode::NOT_FOUND);
    }
}
