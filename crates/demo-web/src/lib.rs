//! The demo page: a call that shows which path it took, as embedded assets.
