//! The five ways in which an alert becomes a filter.
