use std::{fmt, net::SocketAddr, str::FromStr};

use axum::http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where the page is served and where it finds signaling.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port the page is served at. Only the stand-alone server binds it; inside a suite the
    /// routes are merged into the suite's own listener.
    pub listen: SocketAddr,
    /// Where the page finds signaling; none means the page's own origin.
    #[schemars(with = "Option<String>")]
    pub signaling: Option<SignalingUrl>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3001)),
            signaling: None,
        }
    }
}

/// The origin of a signaling server: `http` or `https`, a host, perhaps a port, and nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalingUrl {
    tls: bool,
    authority: String,
}

/// Why a text is not the origin of a signaling server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL with a host.
    #[error("is not a URL such as https://signal.example.org")]
    NotUrl,
    /// A scheme that Socket.IO does not start from.
    #[error("must start with http:// or https://")]
    Scheme,
    /// A path, query, user or anything else that an origin does not have.
    #[error("must end after the host and port: the path is always /socket.io/")]
    NotOrigin,
}

impl SignalingUrl {
    /// Writes the same host and port with the WebSocket scheme, as a Content-Security-Policy needs it.
    pub fn websocket(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}", self.authority)
    }
}

impl FromStr for SignalingUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let url: Uri = text.parse().map_err(|_| UrlError::NotUrl)?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::NotUrl),
        };
        let authority = url.authority().ok_or(UrlError::NotUrl)?;
        if authority.host().is_empty() {
            return Err(UrlError::NotUrl);
        }
        // The text goes into a header and a policy: only what an origin is made of may pass.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let bare = url.path() == "/" && url.query().is_none() && !text.contains('#');
        if !bare || !authority.as_str().chars().all(plain) {
            return Err(UrlError::NotOrigin);
        }
        Ok(Self {
            tls,
            authority: authority.to_string(),
        })
    }
}

impl fmt::Display for SignalingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

impl<'de> Deserialize<'de> for SignalingUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| de::Error::custom(format!("\"{text}\" {error}")))
    }
}

impl Serialize for SignalingUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
