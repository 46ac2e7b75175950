//! The pages beside a server: `/metrics`, `/healthz`, `/readyz`.

use std::{borrow::Cow, fmt, net::SocketAddr};

use axum::Router;
use lifecycle::Shutdown;
use prometheus::Registry;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use telemetry::Health;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::{End, bind};

/// Where `/metrics`, `/healthz` and `/readyz` are served; by default `PORT` of this machine alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsPages<const PORT: u16> {
    /// TCP address and port.
    pub listen: SocketAddr,
}

impl<const PORT: u16> Default for MetricsPages<PORT> {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], PORT)),
        }
    }
}

/// Where `/metrics`, `/healthz` and `/readyz` are served.
// As written in the file; serde cannot derive for a type with a number in its parameters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// TCP address and port.
    listen: Option<SocketAddr>,
}

impl<const PORT: u16> JsonSchema for MetricsPages<PORT> {
    fn schema_name() -> Cow<'static, str> {
        Table::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Table::json_schema(generator)
    }
}

impl<'de, const PORT: u16> Deserialize<'de> for MetricsPages<PORT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Table { listen } = Table::deserialize(deserializer)?;
        Ok(listen.map_or_else(Self::default, |listen| Self { listen }))
    }
}

/// The pages, with an address but not yet served.
#[derive(Debug)]
pub struct Pages {
    /// What `/metrics` shows.
    pub registry: Registry,
    /// What `/readyz` shows.
    pub health: Health,
    listener: TcpListener,
    more: Router,
}

impl Pages {
    /// Binds the address of the settings' `[metrics]` table.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn bind<const PORT: u16>(settings: &MetricsPages<PORT>) -> Result<Self, End> {
        Ok(Self {
            registry: telemetry::registry(),
            health: Health::new(),
            listener: bind(settings.listen, "metrics.listen").await?,
            more: Router::new(),
        })
    }

    /// Serves these routes beside the pages.
    pub fn add(&mut self, routes: Router) {
        self.more = std::mem::take(&mut self.more).merge(routes);
    }

    /// Logs the address.
    pub fn announce(&self) {
        // A listener that is bound has an address.
        if let Ok(address) = self.listener.local_addr() {
            info!("metrics at http://{address}/metrics");
        }
    }

    /// Serves the pages, and tells systemd how the server is, for as long as the server takes to be `finished`. From the
    /// request for the `shutdown` on they show that it drains.
    ///
    /// # Errors
    /// What the future fails with; pages that end early are only logged.
    pub async fn serve_beside<E: fmt::Display>(
        self,
        finished: impl Future<Output = Result<(), E>>,
        shutdown: Shutdown,
    ) -> Result<(), End> {
        let over = Shutdown::new();
        let router = telemetry::router(self.registry, self.health.clone()).merge(self.more);
        let pages = tokio::spawn(telemetry::serve(self.listener, router, over.wait_owned()));
        let result = telemetry::keep_service_manager_informed(&self.health, shutdown.wait(), finished).await;
        shutdown.request();
        over.request();
        if let Ok(Err(error)) = pages.await {
            warn!(%error, "the metrics pages ended early");
        }
        result.map_err(End::failure)
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::exit;
    use settings::{Check, Report, Source};

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        metrics: MetricsPages<9641>,
    }

    impl Check for Settings {
        fn check(&self, _report: &mut Report<'_>) {}
    }

    fn load(text: &str) -> Result<SocketAddr, String> {
        let source = Source {
            env: Vec::new(),
            ..Source::new("WATARI_")
        };
        let loaded = settings::load_text::<Settings>(text, &source);
        loaded
            .map(|settings| settings.metrics.listen)
            .map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn pages_are_for_this_machine_unless_the_table_says_otherwise() {
        let local = SocketAddr::from(([127, 0, 0, 1], 9641));
        assert_eq!(load(""), Ok(local));
        assert_eq!(load("[metrics]"), Ok(local));
        let everyone = SocketAddr::from(([0, 0, 0, 0], 80));
        assert_eq!(load("metrics.listen = \"0.0.0.0:80\""), Ok(everyone));
    }

    #[test]
    fn mistakes_in_the_table_keep_their_place() {
        let said = load("[metrics]\nlisten = 80\nlisen = 1").unwrap_err();
        for part in [
            ":2:",
            "metrics.listen",
            ":3:",
            "metrics.lisen",
            "did you mean `listen`",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
    }

    #[tokio::test]
    async fn pages_end_with_their_server_and_pass_on_how_it_failed() {
        let settings = MetricsPages::<0>::default();
        let pages = Pages::bind(&settings).await.unwrap();
        let health = pages.health.clone();
        let shutdown = Shutdown::new();
        let failed = async { Err("the worker is gone") };
        let end = pages.serve_beside(failed, shutdown.clone()).await;
        assert_eq!(end, Err(End::new(exit::FAILURE, "the worker is gone")));
        assert!(shutdown.requested() && health.is_draining());
    }
}
