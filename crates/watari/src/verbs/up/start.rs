//! Starts the parts of the suite, each where its table says.

use lifecycle::{Shutdown, Supervisor};
use telemetry::{Health, prometheus::Registry};

use super::{announcement::Announcement, web};
use crate::{failure::Failure, state::Secrets, suite::Suite};

/// What every part needs to start, and what grows as they do.
pub(super) struct Start<'a> {
    pub(super) suite: &'a Suite,
    pub(super) secrets: &'a Secrets,
    pub(super) registry: Registry,
    pub(super) health: Health,
    pub(super) shutdown: Shutdown,
    pub(super) supervisor: Supervisor,
    pub(super) announcement: Announcement,
}

impl Start<'_> {
    /// Starts every part; returns once all of them listen.
    pub(super) async fn everything(&mut self) -> Result<(), Failure> {
        self.web().await?;
        self.metrics().await
    }

    async fn web(&mut self) -> Result<(), Failure> {
        let listeners = web::bind("web", &self.suite.web.listen).await?;
        if listeners.is_empty() {
            return Ok(());
        }
        let page = demo_web::Config {
            signaling: self.suite.web.signaling.clone(),
            ..Default::default()
        };
        let router = demo_web::router(&page);
        self.announcement.web(&web::addresses(&listeners)?);
        web::serve(&mut self.supervisor, "web", listeners, &router, &self.shutdown);
        self.health.set_ready("web", true);
        Ok(())
    }

    async fn metrics(&mut self) -> Result<(), Failure> {
        let listeners = web::bind("metrics", &[self.suite.metrics.listen]).await?;
        let router = telemetry::router(self.registry.clone(), self.health.clone());
        self.announcement.metrics(&web::addresses(&listeners)?);
        web::serve(
            &mut self.supervisor,
            "metrics",
            listeners,
            &router,
            &self.shutdown,
        );
        Ok(())
    }
}
