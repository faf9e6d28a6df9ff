//! Cuts packets out of a rolling capture: npcapextract's command line on pcapx.

fn main() {}
