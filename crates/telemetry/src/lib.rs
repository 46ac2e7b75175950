//! Logging set-up, the Prometheus registry, and the pages /metrics, /healthz, /readyz.
