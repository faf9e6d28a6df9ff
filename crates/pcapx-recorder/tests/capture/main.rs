//! Captures from pairs of virtual interfaces: what is sent into one end comes out of the other.
//!
//! Each test runs in a network namespace of its own, which needs no privilege where the kernel lets users have namespaces.
//! Where it does not, the test says that it is skipped.

mod bytes;
mod changes;
mod interface;
mod loss;
mod manager;
mod namespace;
mod privileges;
mod program;
mod refusal;
mod replay;
mod several;
mod veth;
