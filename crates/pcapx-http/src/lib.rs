//! What the pcapx services share on hyper.
