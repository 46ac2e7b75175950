//! PeerJS: clients choose their ids, and whoever knows one may send to it.
//!
//! All clients with one key are members of one room. An id stays its holder's until that is gone for good: the
//! token that came with it, or where rooms need tokens one for the same name, and nothing else, gets it back.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State, WebSocketUpgrade},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub(super) use self::message::{Answer, Request};
use self::talk::{PeerTalk, fail};
use super::{Context, line};
use crate::{
    config::PeerJsConfig,
    doors::{Doors, MAX_TOKEN},
    gate::Visit,
    names::{MemberId, MemberName, RoomKey, RoomName, Space},
    problem::Problem,
    rooms::{Holder, Join, Permissions},
};

mod message;
mod talk;

/// Everything that clients of PeerJS share.
#[derive(Clone)]
struct Peers {
    context: Context,
    config: Arc<PeerJsConfig>,
    room: RoomKey,
}

/// Makes the routes below `/peerjs`, the `path` of the client's options.
pub(crate) fn routes(context: Context, config: &PeerJsConfig) -> Option<Router> {
    let name = RoomName::new(&config.key).filter(|_| config.enabled)?;
    let peers = Peers {
        context,
        config: Arc::new(config.clone()),
        room: RoomKey {
            space: Space::Peers,
            name,
        },
    };
    let routes = Router::new()
        .route("/peerjs", get(about))
        .route("/peerjs/", get(about))
        .route("/peerjs/peerjs", get(connect))
        .route("/peerjs/{key}/id", get(fresh_id))
        .route("/peerjs/{key}/peers", get(list));
    Some(routes.with_state(peers))
}

async fn about() -> Response {
    Json(json!({
        "name": "Watari",
        "description": "A signaling server that clients of PeerJS can use.",
        "website": "https://peerjs.com/",
    }))
    .into_response()
}

async fn fresh_id(State(peers): State<Peers>, Path(key): Path<String>) -> Response {
    if key != peers.config.key {
        return StatusCode::NOT_FOUND.into_response();
    }
    let plain = [(axum::http::header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (plain, uuid(rand::random())).into_response()
}

/// Random bits as PeerJS writes them (RFC 9562, version 4).
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xF << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

async fn list(State(peers): State<Peers>, Path(key): Path<String>) -> Response {
    if key != peers.config.key || !peers.config.discovery {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(names) = peers.context.hub.names(&peers.room).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    Json(names.iter().map(MemberName::as_str).collect::<Vec<_>>()).into_response()
}

#[derive(Deserialize)]
struct Handshake {
    #[serde(default)]
    key: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    token: String,
}

async fn connect(
    State(peers): State<Peers>,
    Extension(visit): Extension<Arc<Visit>>,
    Query(handshake): Query<Handshake>,
    request: WebSocketUpgrade,
) -> Response {
    let context = peers.context.clone();
    let trail = visit.trail;
    line::answer(&context, trail, request, move |line| async move {
        trail.opened("peerjs");
        match peers.enter(&handshake, visit, &line).await {
            Ok(talk) => Some(talk),
            Err(problem) => {
                peers.context.hub.metrics.drop(problem.code());
                fail(&line, problem);
                None
            }
        }
    })
}

impl Peers {
    async fn enter(
        &self,
        handshake: &Handshake,
        visit: Arc<Visit>,
        line: &Arc<line::Line>,
    ) -> Result<PeerTalk, Problem> {
        let Handshake { key, id, token } = handshake;
        if *key != self.config.key {
            return Err(Problem::BadRoom);
        }
        let name = peer_name(id).ok_or(Problem::BadName)?;
        let (permissions, holder) = hold(&self.context.hub.terms().doors, &self.room.name, &name, token)?;
        let join = Join {
            room: self.room.clone(),
            // Connections are counted already.
            capacity: usize::MAX,
            name: name.clone(),
            permissions,
            holder: Some(holder),
        };
        PeerTalk::begin(self, &name, join, visit, line).await
    }

    /// The number by which the rooms know an id; a secret goes into it, so that nobody can work towards one.
    fn member_id(&self, name: &MemberName) -> MemberId {
        let digest = Sha256::new()
            .chain_update("ids of PeerJS")
            .chain_update(self.context.hub.salt())
            .chain_update(name.as_str())
            .finalize();
        let mut bits = [0; 16];
        bits.copy_from_slice(&digest[..16]);
        MemberId::new(u128::from_be_bytes(bits))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.config.heartbeat_seconds)
    }
}

/// Who holds the id `name`, and may do what: whoever knows the client's token, or whom it names where it is a room token.
fn hold(
    doors: &Doors,
    room: &RoomName,
    name: &MemberName,
    token: &str,
) -> Result<(Permissions, Holder), Problem> {
    if token.is_empty() || token.len() > MAX_TOKEN {
        return Err(Problem::BadToken);
    }
    let own = |secret: &str| Holder::Secret(Sha256::digest(secret.as_bytes()).into());
    if !doors.need_token() {
        return Ok((Permissions::ALL, own(token)));
    }
    let pass = doors.open(Some(token), room)?;
    // Room tokens expire and are renewed, so none of them is the secret: the id is whose name is signed.
    match pass.name.as_ref() == Some(name) {
        true => Ok((pass.permissions, own(name.as_str()))),
        false => Err(Problem::BadToken),
    }
}

fn peer_name(id: &str) -> Option<MemberName> {
    MemberName::new(id).filter(|name| !name.as_str().is_empty())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::Value;

    use super::*;
    use crate::config::{Hidden, KeyAlgorithm, RoomKeyConfig, RoomTokensConfig};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn doors(required: bool) -> Doors {
        let key = RoomKeyConfig {
            id: None,
            algorithm: KeyAlgorithm::HS256,
            secret: Some(Hidden(SECRET.into())),
            public_key: None,
            file: None,
        };
        Doors::new(&RoomTokensConfig {
            required,
            keys: vec![key],
            ..RoomTokensConfig::default()
        })
        .unwrap()
    }

    /// A token of year 2100, which is another one with another `exp`.
    fn token(name: Value, exp: u64) -> String {
        let mut claims = json!({ "room": "peerjs", "exp": 4_102_444_800 + exp });
        claims["name"] = name;
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        encode(&Header::default(), &claims, &key).unwrap()
    }

    fn hold_anna(doors: &Doors, token: &str) -> Result<Holder, Problem> {
        let [room, name] = ["peerjs", "anna"];
        let held = hold(
            doors,
            &RoomName::new(room).unwrap(),
            &peer_name(name).unwrap(),
            token,
        );
        held.map(|(_, holder)| holder)
    }

    #[test]
    fn where_rooms_need_tokens_an_id_is_whom_they_name_and_not_who_has_one() {
        let doors = doors(true);
        let first = hold_anna(&doors, &token(json!("anna"), 1)).unwrap();
        let renewed = hold_anna(&doors, &token(json!("anna"), 2)).unwrap();
        assert_eq!(first, renewed);
        for other in [token(json!("ben"), 1), token(Value::Null, 1), "anna".into()] {
            assert_eq!(hold_anna(&doors, &other), Err(Problem::BadToken));
        }
    }

    #[test]
    fn elsewhere_an_id_is_whose_token_it_came_with() {
        let doors = doors(false);
        assert_eq!(hold_anna(&doors, "mine"), hold_anna(&doors, "mine"));
        assert_ne!(hold_anna(&doors, "mine"), hold_anna(&doors, "yours"));
        assert_eq!(hold_anna(&doors, ""), Err(Problem::BadToken));
    }

    #[test]
    fn an_id_of_ours_is_a_uuid_of_version_4() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
