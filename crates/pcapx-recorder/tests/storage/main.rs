//! The recorder as a program on its disk: limits, full disks, crashes, and what others find there meanwhile.
//!
//! Each test runs in a network and mount namespace of its own, where packets go over the loopback and a disk is a file system
//! in memory. Where there are no namespaces to be had, the test says that it is skipped. Long campaigns are `--ignored`, each
//! with a short version beside it.

mod apart;
mod checking;
mod crash;
mod full;
mod gone;
mod kept;
mod limit;
mod live;
mod losses;
mod metrics;
mod recorder;
mod traffic;
