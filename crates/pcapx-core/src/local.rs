//! The one place where local time is read and written.
