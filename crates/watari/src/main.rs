//! One binary that runs and diagnoses the whole suite.

fn main() {}
