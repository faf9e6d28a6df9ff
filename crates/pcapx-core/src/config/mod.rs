//! The configuration file, the environment over it, and what comes of both.
