//! Answers Binding requests, NAT behaviour discovery (RFC 5780) included, as one pure function.
