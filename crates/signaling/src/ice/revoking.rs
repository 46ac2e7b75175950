//! Tells TURN servers that a credential is void: in this process, or by their administrative endpoints.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, Method, Request, StatusCode, Uri, header, uri::Scheme},
};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::secret::{self, SecretError};
use crate::config::AdminConfig;

/// How often a server is asked that cannot be reached, and how long each time.
const ATTEMPTS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
/// The pause before the second attempt; each one after it takes twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// Where an answer is cut off that is repeated to the caller.
const MAX_ANSWER: usize = 1024;

/// What becomes of a word to one server.
pub(crate) type Told = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// All servers that credentials are made for, as far as they can be told something.
#[derive(Clone, Default)]
pub(super) struct Revoking {
    servers: Vec<Arc<Server>>,
    /// Of all those with an endpoint: what the system trusts is read once.
    http: Option<Http>,
}

/// One of them.
struct Server {
    name: String,
    way: Way,
}

enum Way {
    Here(Box<dyn Fn(String) -> Told + Send + Sync>),
    Admin(Box<Admin>),
}

struct Admin {
    endpoint: Uri,
    authorization: HeaderValue,
    client: HttpClient,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Body>;

#[derive(Clone)]
struct Http {
    client: HttpClient,
    /// Why no server's certificate will do.
    trusts_nobody: Option<Arc<str>>,
}

/// A server that was not told, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    pub(crate) node: String,
    pub(crate) error: String,
}

impl Revoking {
    /// Adds the server in this process.
    pub(super) fn here(&mut self, tell: impl Fn(String) -> Told + Send + Sync + 'static) {
        self.add("turn", Way::Here(Box::new(tell)));
    }

    /// Adds a server by its administrative endpoint, which the setting `key` names.
    pub(super) fn admin(&mut self, name: &str, key: &str, config: &AdminConfig) -> Result<(), SecretError> {
        let token_key = format!("{key}.token");
        let token = secret::read(&token_key, config.token.as_ref(), config.token_file.as_ref())?;
        let token = token.ok_or(SecretError::Empty {
            key: token_key.clone(),
        })?;
        let invalid = |key: String, what: String| SecretError::Invalid { key, what };
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|error| invalid(token_key, error.to_string()))?;
        authorization.set_sensitive(true);
        let endpoint = format!("{}/admin/turn/revoke", config.url.trim_end_matches('/'));
        let endpoint =
            Uri::try_from(endpoint).map_err(|error| invalid(format!("{key}.url"), error.to_string()))?;
        let Http {
            client,
            trusts_nobody,
        } = self.http.get_or_insert_with(Http::new).clone();
        if let Some(error) = trusts_nobody.filter(|_| endpoint.scheme() == Some(&Scheme::HTTPS)) {
            tracing::warn!(node = name, %error, "the system trusts no authority, so it cannot be told over HTTPS");
        }
        let way = Way::Admin(Box::new(Admin {
            endpoint,
            authorization,
            client,
        }));
        self.add(name, way);
        Ok(())
    }

    fn add(&mut self, name: &str, way: Way) {
        let name = name.to_owned();
        self.servers.push(Arc::new(Server { name, way }));
    }

    /// Tells whether nobody can be told anything.
    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Tells all servers at once; gives those that were not told.
    pub(super) async fn revoke(&self, username: &str) -> Vec<Untold> {
        let mut telling = JoinSet::new();
        for server in &self.servers {
            let (server, username) = (Arc::clone(server), username.to_owned());
            telling.spawn(async move { server.tell(username).await });
        }
        let mut untold: Vec<_> = telling.join_all().await.into_iter().flatten().collect();
        untold.sort_by(|one, other| one.node.cmp(&other.node));
        untold
    }
}

impl fmt::Debug for Revoking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.servers.iter().map(|server| &server.name);
        f.debug_list().entries(names).finish()
    }
}

impl Server {
    async fn tell(&self, username: String) -> Option<Untold> {
        let told = match &self.way {
            Way::Here(tell) => tell(username).await,
            Way::Admin(admin) => admin.tell_persistently(&username).await,
        };
        let error = told.err()?;
        tracing::warn!(node = self.name, error, "a credential is not revoked there");
        Some(Untold {
            node: self.name.clone(),
            error,
        })
    }
}

/// Why an attempt failed, and whether another one may be better.
struct Failed {
    what: String,
    is_final: bool,
}

impl Admin {
    async fn tell_persistently(&self, username: &str) -> Result<(), String> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let told = timeout(PATIENCE, self.tell(username)).await;
            let failed = match told {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failed)) => failed,
                Err(_) => Failed::for_now("no answer within 3 seconds"),
            };
            if failed.is_final || attempt == ATTEMPTS {
                return Err(failed.what);
            }
            sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn tell(&self, username: &str) -> Result<(), Failed> {
        let body = serde_json::json!({ "username": username }).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.endpoint.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, self.authorization.clone())
            .body(Body::from(body))
            .map_err(Failed::for_now)?;
        let response = self.client.request(request).await.map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            Failed::for_now(format!("{error}{}", source.unwrap_or_default()))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = to_bytes(Body::new(response.into_body()), MAX_ANSWER).await;
        Err(Failed {
            what: format!("{status}{}", said(&body.unwrap_or_default())),
            is_final: status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS,
        })
    }
}

impl Failed {
    fn for_now(what: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            is_final: false,
        }
    }
}

/// What the endpoint says about a refusal.
fn said(body: &Bytes) -> String {
    #[derive(serde::Deserialize)]
    struct Answer {
        error: String,
    }
    let answer = serde_json::from_slice::<Answer>(body);
    answer.map_or_else(|_| String::new(), |answer| format!(": {}", answer.error))
}

impl Http {
    /// Trusts what the system trusts; plain HTTP needs no trust.
    fn new() -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = || {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .expect("the provider speaks TLS 1.2 and 1.3")
        };
        let (trusting, trusts_nobody) = match versions().with_native_roots() {
            Ok(trusting) => (trusting, None),
            Err(error) => {
                let nobody = versions().with_root_certificates(RootCertStore::empty());
                (nobody, Some(error.to_string().into()))
            }
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            trusts_nobody,
        }
    }
}

#[cfg(test)]
mod tests;
