//! Logging set-up, the Prometheus registry, and the pages /metrics, /healthz, /readyz.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod binding;
mod guesses;
mod health;
mod logging;
mod pages;
mod service_manager;
mod sparing;

pub use prometheus;
#[doc(hidden)]
pub use tracing;

pub use binding::BindingRequests;
pub use guesses::log_wrong_guess;
pub use health::Health;
pub use logging::{Format, LogConfig, LogFilter, Logging, LoggingError, init_logging};
pub use pages::{router, serve};
pub use service_manager::{keep_service_manager_informed, tell_reloaded, tell_reloading};
pub use sparing::OncePerMinute;

/// Makes a registry that already holds the `process_*` metrics (on Linux, where the system tells them).
pub fn registry() -> prometheus::Registry {
    let registry = prometheus::Registry::new();
    #[cfg(target_os = "linux")]
    {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        if let Err(error) = registry.register(Box::new(process)) {
            tracing::warn!(%error, "process metrics are not available");
        }
    }
    registry
}
