//! From BPF text to the typed expression.
