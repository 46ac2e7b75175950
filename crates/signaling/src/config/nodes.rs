//! Several TURN servers, and how they are told of revoked credentials.

use std::{collections::HashSet, path::PathBuf};

use axum::http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::Report;

use super::{Hidden, IceConfig};
use crate::{
    ice::{check_url, udp_target},
    site::Site,
};

/// The fewest characters of a TURN server's administrative token, as that demands itself.
const MIN_TOKEN_CHARS: usize = 16;
/// The most characters of a node's name and region.
const MAX_NAME: usize = 32;
/// The most nodes. Each is asked all the time, and weighed for each client.
const MAX_NODES: usize = 256;

/// One of several TURN servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// What it is called in logs and metrics.
    pub name: String,
    /// Its URIs (`stun:`, `stuns:`, `turn:`, `turns:`).
    pub urls: Vec<String>,
    /// Where it is; clients that say the same get it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its share of the clients, in proportion to the weights of the others in its region.
    #[serde(default = "one")]
    pub weight: u32,
    /// Host and port that answer Binding requests over UDP; without it, those of its first URI over UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Its secret, if it does not share that of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Hidden>,
    /// A file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Where it is told of revoked credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminConfig>,
}

/// The administrative endpoint of a TURN server: its `[turn.admin]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// `http://host:port` or `https://…` of its metrics pages.
    pub url: String,
    /// Its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Hidden>,
    /// A file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

fn one() -> u32 {
    1
}

impl IceConfig {
    /// Reports what is wrong with the nodes, and with what is there instead of them.
    pub(super) fn check_nodes(&self, report: &mut Report<'_>) {
        if let Some(admin) = &self.admin {
            report.within("admin", |report| admin.check_within(report));
        }
        if self.nodes.is_empty() {
            return;
        }
        if self.nodes.len() > MAX_NODES {
            report.mistake("nodes", "has more than 256 nodes");
        }
        if !self.urls.is_empty() {
            report.mistake("urls", "means nothing beside nodes: give each node its own");
        }
        if self.admin.is_some() {
            report.mistake("admin", "means nothing beside nodes: give each node its own");
        }
        let mut names = HashSet::new();
        let any_admin = self.nodes.iter().any(|node| node.admin.is_some());
        for (index, node) in self.nodes.iter().enumerate() {
            report.within(&format!("nodes[{index}]"), |report| {
                node.check_within(report);
                if !names.insert(&node.name) {
                    report.mistake("name", "is another node's already");
                }
                if any_admin && node.admin.is_none() {
                    report.mistake(
                        "admin",
                        "is missing: other nodes have it, and a credential is revoked on all of them or on none",
                    );
                }
            });
        }
    }
}

impl NodeConfig {
    fn check_within(&self, report: &mut Report<'_>) {
        if !is_label(&self.name) {
            report.mistake("name", "must be 1 to 32 letters, digits, -, _ or .");
        }
        if self.region.as_ref().is_some_and(|region| !is_label(region)) {
            report.mistake("region", "must be 1 to 32 letters, digits, -, _ or .");
        }
        if !self.urls.iter().any(|url| url.starts_with("turn")) {
            report.mistake("urls", "names no turn: or turns: URI");
        }
        for (index, url) in self.urls.iter().enumerate() {
            if let Err(what) = check_url(url) {
                report.mistake(&format!("urls[{index}]"), what);
            }
        }
        if self.weight == 0 {
            report.mistake("weight", "must be at least 1: leave the node out instead");
        }
        match &self.probe {
            Some(probe) if !is_host_and_port(probe) => report.mistake("probe", "must be host:port"),
            None if udp_target(&self.urls).is_none() => {
                report.mistake("probe", "is needed: no URI says where a datagram could ask");
            }
            Some(_) | None => {}
        }
        if self.secret.is_some() && self.secret_file.is_some() {
            report.mistake("secret_file", "give either secret or secret_file");
        }
        if let Some(admin) = &self.admin {
            report.within("admin", |report| admin.check_within(report));
        }
    }
}

impl AdminConfig {
    fn check_within(&self, report: &mut Report<'_>) {
        let is_web = self.url.parse::<Uri>().is_ok_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.host().is_some()
                && url.query().is_none()
        });
        if !is_web {
            report.mistake("url", "must be http://host:port or https://host:port");
        }
        match (&self.token, &self.token_file) {
            (None, None) => report.mistake(
                "token",
                "is needed, or token_file: the token of turn.admin of that server",
            ),
            (Some(_), Some(_)) => report.mistake("token_file", "give either token or token_file"),
            (Some(Hidden(token)), None) => {
                if token.len() < MIN_TOKEN_CHARS || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    report.mistake("token", "must have 16 visible ASCII characters or more");
                }
            }
            (None, Some(_)) => {}
        }
    }
}

/// It stands in a metric's label and in a URL.
fn is_label(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_plain)
}

fn is_host_and_port(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    Site::parse(text).is_some() && matches!(port, Some(Ok(1..)))
}
