//! The alert as it was received, in any of the shapes that senders use.
