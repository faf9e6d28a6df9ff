//! Serves extracted captures over HTTP.

fn main() {}
