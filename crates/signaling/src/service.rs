//! Puts the parts together into routes.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, Method, StatusCode, header},
    middleware,
    routing::{any, get, post},
};
use lifecycle::Shutdown;
use prometheus::Registry;
use socketioxide::SocketIo;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::task::TaskTracker;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::{
    address::{AddressLimits, Addresses},
    bucket::Rate,
    config::Config,
    credentials::{self, Endpoints},
    descriptors,
    dialects::{Context, peerjs, socket_io, web_socket, y_webrtc},
    doors::RoomKeyError,
    gate::{self, Gate},
    hub::{ClusterError, Hub, Link},
    ice::{IceServers, Probes},
    metrics::Metrics,
    terms::{Reloader, Terms},
};

/// How long clients have to take their farewell when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a request to `/turn` or `/ice` may carry in its body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// Makes the routes `/socket.io/`, `/ws`, `/peerjs…`, `/y-webrtc`, `/turn` and `/ice`.
///
/// **Serve them with `into_make_service_with_connect_info::<SocketAddr>()`**: limits count per address, and
/// without it all clients share those of one. Clients are told and disconnected once `shutdown` is
/// requested; [`Signaling`] also lets the caller wait for that.
///
/// Rooms of a cluster need the address of Redis in `config`, which is connected to here.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn router(
    config: &Config,
    ice: IceServers,
    registry: &Registry,
    shutdown: Shutdown,
) -> Result<Router, SetupError> {
    let signaling = Signaling::start(config, ice, registry, shutdown).await;
    signaling.map(|signaling| signaling.router)
}

/// A signaling server without its listener.
pub struct Signaling {
    /// The routes; see [`router`].
    pub router: Router,
    /// Tells when everybody is gone after a shutdown.
    pub drained: Drained,
    /// Takes another configuration while clients are connected.
    pub reloader: Reloader,
}

/// Waits for the end of a shutdown.
#[derive(Debug)]
pub struct Drained(JoinHandle<()>);

impl Drained {
    /// Waits until, after a shutdown, all clients have been told and disconnected; some seconds at most.
    pub async fn wait(self) {
        // The task ends by itself and does not panic; if it did there is nothing left to wait for.
        let _ = self.0.await;
    }
}

/// Why the server could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The registry has metrics of the same name already.
    #[error("signaling metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A key that checks room tokens cannot be used.
    #[error(transparent)]
    RoomKey(#[from] RoomKeyError),
    /// The other nodes cannot be reached.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl Signaling {
    /// Makes the routes and starts waiting for `shutdown`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(
        config: &Config,
        ice: IceServers,
        registry: &Registry,
        shutdown: Shutdown,
    ) -> Result<Self, SetupError> {
        let terms = Terms::new(config, ice)?;
        descriptors::make_room_for(config.limits.connections);
        let link = Link::open(config).await?;
        let metrics = Metrics::register(registry)?;
        if link.is_some() {
            metrics.register_cluster(registry)?;
        }
        let hub = Hub::new(config, terms, metrics, link);
        let gate = Gate {
            addresses: Addresses::new(AddressLimits::from(config), hub.salt()),
            hub: Arc::clone(&hub),
            shutdown: shutdown.clone(),
        };
        let tasks = TaskTracker::new();
        let context = Context::new(Arc::clone(&hub), config, tasks.clone());
        let (layer, io) = socket_io::layer(context.clone());
        tasks.spawn(Arc::clone(&hub).keep_time(shutdown.clone()));
        let mut probes = Probes::new(registry, &shutdown);
        probes.ask(&hub.terms().ice)?;

        let foreign = [
            peerjs::routes(context.clone(), &config.peerjs),
            y_webrtc::routes(context.clone(), &config.y_webrtc),
        ];
        let foreign = foreign.into_iter().flatten().fold(Router::new(), Router::merge);
        let router = Router::new()
            // The layer answers this path itself; the handler only gives it a route to be on.
            .route("/socket.io/", any(async || StatusCode::NOT_FOUND))
            .layer(layer)
            .route("/ws", get(web_socket::upgrade).with_state(context))
            .merge(foreign)
            .layer(middleware::from_fn_with_state(gate.clone(), gate::admit))
            .layer(cors(listed(&hub)))
            .merge(endpoints(config, &gate));
        let over = Duration::from_secs(config.drain_seconds);
        let reloader = Reloader::new(Arc::clone(&hub), gate.addresses, probes);
        let drained = Drained(tokio::spawn(drain(hub, io, tasks, over, shutdown)));
        Ok(Self {
            router,
            drained,
            reloader,
        })
    }
}

fn endpoints(config: &Config, gate: &Gate) -> Router {
    let state = Endpoints {
        hub: Arc::clone(&gate.hub),
        addresses: Arc::clone(&gate.addresses),
    };
    // A key is the caller's right, from whatever page it calls. Without keys only known pages may read.
    let origins = match config.credentials.anonymous {
        true => listed(&gate.hub),
        false => AllowOrigin::from(Any),
    };
    Router::new()
        .route("/turn", get(credentials::turn).post(credentials::turn))
        .route("/ice", get(credentials::ice).post(credentials::ice))
        .route(
            "/v1/turn/keys/{id}/credentials/generate-ice-servers",
            post(credentials::cloudflare),
        )
        .route(
            "/v1/turn/keys/{id}/credentials/{username}/revoke",
            post(credentials::revoke),
        )
        .route(
            "/2010-04-01/Accounts/{sid}/Tokens.json",
            post(credentials::twilio),
        )
        .route("/_matrix/client/v3/voip/turnServer", get(credentials::matrix))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(cors(origins))
        .with_state(state)
}

fn listed(hub: &Arc<Hub>) -> AllowOrigin {
    let hub = Arc::clone(hub);
    AllowOrigin::predicate(move |origin, _| hub.terms().origins.lists(origin))
}

fn cors(origins: AllowOrigin) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            HeaderName::from_static("x-api-key"),
        ])
        .max_age(Duration::from_secs(3600))
}

async fn drain(hub: Arc<Hub>, io: SocketIo, tasks: TaskTracker, over: Duration, shutdown: Shutdown) {
    shutdown.wait().await;
    tracing::info!(
        connections = hub.metrics.connections.get(),
        "telling all clients that the server stops"
    );
    hub.drain(over).await;
    tasks.close();
    let closed = async {
        tokio::join!(io.close(), tasks.wait());
    };
    if timeout(DRAIN_TIMEOUT, closed).await.is_err() {
        tracing::debug!("some clients did not take their farewell in time");
    }
}

impl From<&Config> for AddressLimits {
    fn from(config: &Config) -> Self {
        let limits = &config.limits;
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            arrivals: Rate {
                per_second: limits.arrivals_per_second,
                burst: limits.connections_per_address,
            },
            requests: Rate {
                per_second: config.credentials.requests_per_second,
                burst: config.credentials.request_burst,
            },
        }
    }
}

#[cfg(test)]
mod tests;
