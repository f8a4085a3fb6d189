"""Training models: hard negatives, generated queries, cross-encoders and passage scorers."""
