//! The rolling capture on disk: segments, catalog, query, extraction.
