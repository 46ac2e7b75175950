//! How a connection is answered: plainly, over TLS, or one or the other by its first byte.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderValue, Request, header::STRICT_TRANSPORT_SECURITY},
};
use certificates::Challenges;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use lifecycle::Shutdown;
use rustls::{ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tower::ServiceExt as _;

use super::limited::Connection;
use crate::addresses;

/// The first byte of a TLS connection: a record of the type handshake (RFC 8446 §5.1). No HTTP method begins so.
const HANDSHAKE: u8 = 22;

/// Thirty days (RFC 6797): long enough to protect who comes back, short enough to change one's mind.
const STRICT: HeaderValue = HeaderValue::from_static("max-age=2592000");

/// What answers on the connections of a listener.
#[derive(Clone)]
pub(super) struct Service {
    plain: Router,
    secure: Option<Secure>,
}

#[derive(Clone)]
struct Secure {
    tls: Arc<ServerConfig>,
    challenges: Option<Challenges>,
    router: Router,
    is_strict: bool,
}

impl Service {
    /// Answers everyone without TLS.
    pub(super) fn plain(router: Router) -> Self {
        // Routes are made here once and not for every connection.
        Self {
            plain: router.with_state::<()>(()),
            secure: None,
        }
    }

    /// Answers those who begin with a TLS handshake over TLS, from this router; the others as before.
    ///
    /// A strict one tells browsers that ask for a public name to come over TLS only (HSTS).
    #[must_use]
    pub(super) fn or_secure(mut self, tls: Arc<ServerConfig>, router: Router, is_strict: bool) -> Self {
        self.secure = Some(Secure {
            tls,
            challenges: None,
            router: router.with_state::<()>(()),
            is_strict,
        });
        self
    }

    /// Shows a directory's handshake the certificate it looks for (RFC 8737).
    #[must_use]
    pub(super) fn with_challenges(mut self, challenges: Option<Challenges>) -> Self {
        if let Some(secure) = &mut self.secure {
            secure.challenges = challenges;
        }
        self
    }

    /// Answers the requests of one connection until it ends or becomes a WebSocket.
    ///
    /// `head` is the time for the handshake, and then for the head of each request.
    pub(super) async fn attend(
        self,
        connection: Connection,
        peer: SocketAddr,
        head: Duration,
        shutdown: Shutdown,
    ) {
        let Some(secure) = self.secure else {
            return answer(connection, self.plain, None, peer, head, shutdown).await;
        };
        let begun = tokio::select! {
            begun = timeout(head, begin(connection, &secure)) => begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            () = shutdown.wait() => return,
        };
        match begun {
            Ok(Begun::Plain(connection)) => answer(connection, self.plain, None, peer, head, shutdown).await,
            Ok(Begun::Proved) => tracing::debug!(%peer, "a handshake has answered an ACME directory"),
            Ok(Begun::Secure(stream)) => {
                let name = stream.get_ref().1.server_name();
                let is_strict = secure.is_strict && name.is_some_and(addresses::is_public_name);
                let strict = is_strict.then_some(STRICT);
                answer(*stream, secure.router, strict, peer, head, shutdown).await;
            }
            Err(error) => tracing::debug!(%peer, %error, "a connection ended before its first request"),
        }
    }
}

enum Begun {
    Plain(Connection),
    Secure(Box<TlsStream<Connection>>),
    /// It was for the handshake alone.
    Proved,
}

async fn begin(connection: Connection, secure: &Secure) -> io::Result<Begun> {
    let mut first = [0];
    let read = connection.stream.peek(&mut first).await?;
    if read == 1 && first[0] != HANDSHAKE {
        return Ok(Begun::Plain(connection));
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), connection).await?;
    let challenges = secure.challenges.as_ref();
    if let Some(proof) = challenges.and_then(|challenges| challenges.handshake(&start.client_hello())) {
        start.into_stream(proof).await?.shutdown().await?;
        return Ok(Begun::Proved);
    }
    let stream = start.into_stream(secure.tls.clone()).await?;
    Ok(Begun::Secure(Box::new(stream)))
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    strict: Option<HeaderValue>,
    peer: SocketAddr,
    head: Duration,
    shutdown: Shutdown,
) {
    let service = router
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        })
        .map_response(move |mut response| {
            if let Some(strict) = strict.clone() {
                response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, strict);
            }
            response
        });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    let done = tokio::select! {
        done = &mut served => done,
        () = shutdown.wait() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = done {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
