//! Time-limited usernames and passwords: minted here, re-derived there.
