//! What the endpoints answer, each in the words of those whose clients ask there.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
};
use serde::Serialize;

use super::{Endpoints, Refusal, Service};
use crate::ice::{Grant, IceServer};

/// Answers `/turn`: the response of draft-uberti-behave-turn-rest-00.
pub(crate) async fn turn(State(endpoints): State<Endpoints>, request: Request) -> Response {
    endpoints
        .answer(request, Service::Required, |grant| Json(Triple::of(grant)))
        .await
}

/// Answers where clients of Matrix ask their home server for one, in its shape, which is that of `/turn`.
pub(crate) async fn matrix(State(endpoints): State<Endpoints>, request: Request) -> Response {
    endpoints
        .answer(request, Service::Optional, |grant| Json(Triple::of(grant)))
        .await
}

#[derive(Serialize)]
struct Triple {
    username: String,
    password: String,
    ttl: u64,
    uris: Vec<String>,
}

impl Triple {
    fn of(grant: Grant) -> Self {
        Self {
            password: grant.first().0.to_owned(),
            uris: grant.first().1.to_vec(),
            username: grant.username,
            ttl: grant.ttl,
        }
    }
}

/// Answers `/ice`: an `RTCConfiguration` ready for `new RTCPeerConnection`.
pub(crate) async fn ice(State(endpoints): State<Endpoints>, request: Request) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        ice_servers: Vec<IceServer>,
        ice_transport_policy: &'static str,
    }
    endpoints
        .answer(request, Service::Optional, |grant| {
            Json(Answer {
                ice_servers: grant.ice_servers(),
                ice_transport_policy: "all",
            })
        })
        .await
}

/// Answers as Cloudflare's `generate-ice-servers` does. Whatever key id the path names, the API key decides.
pub(crate) async fn cloudflare(State(endpoints): State<Endpoints>, request: Request) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        ice_servers: Vec<IceServer>,
    }
    endpoints
        .answer(request, Service::Optional, |grant| {
            let ice_servers = grant.ice_servers();
            (StatusCode::CREATED, Json(Answer { ice_servers }))
        })
        .await
}

/// Answers as Twilio's `Tokens.json` does. Its clients send the API key as the password of their account.
pub(crate) async fn twilio(
    State(endpoints): State<Endpoints>,
    Path(account): Path<String>,
    request: Request,
) -> Response {
    if !is_account(&account) {
        return endpoints.refuse(Refusal::BadAccount);
    }
    endpoints
        .answer(request, Service::Optional, |grant| {
            (StatusCode::CREATED, Json(Token::of(grant, account)))
        })
        .await
}

fn is_account(sid: &str) -> bool {
    sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[derive(Serialize)]
struct Token {
    username: String,
    password: String,
    /// A number in quotes.
    ttl: String,
    account_sid: String,
    ice_servers: Vec<TokenServer>,
    date_created: String,
    date_updated: String,
}

/// One URI, by the present name of the field and by the one it had before.
#[derive(Serialize)]
struct TokenServer {
    url: String,
    urls: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl Token {
    fn of(grant: Grant, account_sid: String) -> Self {
        let ice_servers = grant.ice_servers();
        let servers = ice_servers.into_iter().flat_map(|server| {
            let (username, credential) = (server.username, server.credential);
            server.urls.into_iter().map(move |url| TokenServer {
                url: url.clone(),
                urls: url,
                username: username.clone(),
                credential: credential.clone(),
            })
        });
        // RFC 2822 has no names for zones of today.
        let now = httpdate::fmt_http_date(std::time::SystemTime::now()).replace("GMT", "+0000");
        Self {
            ice_servers: servers.collect(),
            password: grant.first().0.to_owned(),
            username: grant.username,
            ttl: grant.ttl.to_string(),
            account_sid,
            date_created: now.clone(),
            date_updated: now,
        }
    }
}
