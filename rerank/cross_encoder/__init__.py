"""A transformer that reads query and passage together."""
