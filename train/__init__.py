"""Making weights: negatives, weak queries, training."""
