"""Cross-encoders: transformers that read query and passage together."""
