//! Replays a capture of NetFlow export packets to a collector, for ever and with today's time.

fn main() {}
