//! Signals, draining, supervision, exit codes.
