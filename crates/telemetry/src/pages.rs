//! The pages /metrics, /healthz and /readyz.

use std::{collections::BTreeMap, io};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::{Encoder, Registry, TextEncoder};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::Health;

/// Answers `/metrics` (Prometheus text), `/healthz` (the process is alive) and `/readyz` (503 until every
/// component is ready, and while draining; the body lists them).
pub fn router(registry: Registry, health: Health) -> Router {
    Router::new()
        .route("/metrics", get(metrics).with_state(registry))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready).with_state(health))
}

/// Serves `pages`, those of [`router`] or more, on `listener` until `end` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    pages: Router,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, pages).with_graceful_shutdown(end).await
}

async fn metrics(State(registry): State<Registry>) -> Response {
    let mut body = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut body) {
        Ok(()) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn alive() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    draining: bool,
    components: BTreeMap<String, bool>,
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Readiness>) {
    let ready = health.is_ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = Readiness {
        ready,
        draining: health.is_draining(),
        components: health.components(),
    };
    (status, Json(body))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use tower::ServiceExt;

    use super::*;

    async fn page(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ready_means_every_component_is_and_nothing_drains() {
        let health = Health::new();
        let router = router(crate::registry(), health.clone());
        assert_eq!(page(&router, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);

        health.set_ready("turn", true);
        health.set_ready("web", false);
        let (status, body) = page(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            r#"{"ready":false,"draining":false,"components":{"turn":true,"web":false}}"#
        );

        health.set_ready("web", true);
        assert_eq!(page(&router, "/readyz").await.0, StatusCode::OK);

        health.set_draining();
        let (status, body) = page(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains(r#""draining":true"#));
        assert_eq!(page(&router, "/healthz").await, (StatusCode::OK, "ok\n".into()));
    }

    #[tokio::test]
    async fn metrics_hold_those_of_the_process_and_those_registered() {
        let registry = crate::registry();
        let counter = prometheus::IntCounter::new("turn_tests_total", "Counts tests.").unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.inc();
        let (status, body) = page(&router(registry, Health::new()), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("turn_tests_total 1"), "{body}");
        #[cfg(target_os = "linux")]
        assert!(body.contains("process_resident_memory_bytes"), "{body}");
    }
}
