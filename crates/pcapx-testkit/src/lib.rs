//! Packet builders, trace generator and process harness for the tests of pcapx.
