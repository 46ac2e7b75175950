use axum::{Json, Router, http::HeaderMap, middleware::map_response, response::Response, routing::get};
use memory_serve::{Asset, CacheControl, MemoryServe};
use serde::Serialize;

use crate::{Config, headers};

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Builds the routes of the pages: `/` (the call), `/check`, `/inspect`, their assets, and `/config.json`.
///
/// Every answer carries the security headers of the pages. The routes hold no state and have no fallback, so
/// they merge with those of other services.
pub fn router(config: &Config) -> Router {
    let headers = headers::security(config.signaling.as_ref());
    let told = Told {
        signaling: config.signaling.as_ref().map(ToString::to_string),
    };
    // The files of one version must meet no file of another, and their names carry no hash: a browser asks
    // each time and mostly hears 304.
    let assets = MemoryServe::new(ASSETS)
        .enable_clean_url(true)
        .html_cache_control(CacheControl::NoCache)
        .cache_control(CacheControl::NoCache)
        .into_router();
    Router::new()
        .route(
            "/config.json",
            get(move || {
                let told = told.clone();
                async move { Json(told) }
            }),
        )
        .merge(assets)
        .layer(map_response(move |response| dress(response, headers.clone())))
}

async fn dress(mut response: Response, headers: HeaderMap) -> Response {
    response.headers_mut().extend(headers);
    response
}

/// What the page must know before it can call: null means "where the page came from".
#[derive(Clone, Serialize)]
struct Told {
    signaling: Option<String>,
}
