use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

use crate::SignalingUrl;

/// Camera, microphone and what is on the screen are the page's business, nothing else is, and no frame of another origin
/// gets them.
const PERMISSIONS: &str = "camera=(self), microphone=(self), autoplay=(self), clipboard-write=(self), \
    display-capture=(self), geolocation=(), midi=(), payment=(), usb=(), serial=(), bluetooth=()";

/// Composes the headers that every answer of the page carries.
pub(crate) fn security(signaling: Option<&SignalingUrl>) -> HeaderMap {
    let policy = HeaderValue::from_str(&policy(signaling))
        .expect("a signaling URL holds only the visible ASCII of an origin");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(PERMISSIONS),
    );
    // The room is in the query of the page's address: it stays here.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers
}

/// Writes the Content-Security-Policy: this origin only, no inline script or style, no HTML from strings.
fn policy(signaling: Option<&SignalingUrl>) -> String {
    let elsewhere = signaling.map_or_else(String::new, |url| format!(" {url} {}", url.websocket()));
    format!(
        "default-src 'self'; connect-src 'self'{elsewhere}; base-uri 'none'; object-src 'none'; \
         form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}
