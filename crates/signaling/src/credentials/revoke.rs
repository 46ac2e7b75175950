//! Takes a credential back before it expires.

use std::time::Instant;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Endpoints, Refusal, header_keys};
use crate::{address::client_address, gate::peer_of, ice::Untold};

/// Answers as Cloudflare's `revoke` does, once every TURN server refuses the username. Whatever key id the path names,
/// the API key decides.
pub(crate) async fn revoke(
    State(endpoints): State<Endpoints>,
    Path((_, username)): Path<(String, String)>,
    request: Request,
) -> Response {
    if let Err(refusal) = endpoints.admit_revocation(&request, &username) {
        return endpoints.refuse(refusal);
    }
    let untold = endpoints.hub.terms().ice.revoke(&username).await;
    if untold.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    endpoints.hub.metrics.drop("credential_not_revoked");
    (StatusCode::BAD_GATEWAY, Json(Failure::of(&untold))).into_response()
}

impl Endpoints {
    fn admit_revocation(&self, request: &Request, username: &str) -> Result<(), Refusal> {
        let terms = self.hub.terms();
        let address = client_address(peer_of(request), request.headers(), &terms.proxies);
        let admitted = self.addresses.request(address, Instant::now());
        admitted.map_err(Refusal::TooFast)?;
        // What is open to everyone is to be given a credential, not to take others' away.
        let keys = header_keys(request.headers());
        let admitted = terms
            .keys
            .admit_holder(keys.iter().map(String::as_str), Refusal::NoKeys);
        self.tell_wrong_key(address, admitted, !keys.is_empty())?;
        if !terms.ice.can_revoke() {
            return Err(Refusal::NoAdmin);
        }
        match terms.ice.is_ours(username) {
            true => Ok(()),
            false => Err(Refusal::NotOurs),
        }
    }
}

/// Which servers still take the credential.
#[derive(Serialize)]
struct Failure<'a> {
    error: &'static str,
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    node: &'a str,
    error: &'a str,
}

impl<'a> Failure<'a> {
    fn of(untold: &'a [Untold]) -> Self {
        let nodes = untold.iter().map(|untold| Node {
            node: &untold.node,
            error: &untold.error,
        });
        Self {
            error: "these TURN servers were not told, so the credential may still be good there: try again",
            nodes: nodes.collect(),
        }
    }
}
