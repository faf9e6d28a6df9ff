//! Webhook service: an alert goes in, a link to its packets comes out.

fn main() {}
