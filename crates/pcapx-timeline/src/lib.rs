//! draft
pub mod link;
pub mod matcher;
pub mod packet;
pub mod segment;
