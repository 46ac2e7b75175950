//! A seeded in-memory internet for tests: hosts, NATs in RFC 4787 words, latency, loss, a clock.
