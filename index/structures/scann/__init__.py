"""The scann index: ScaNN, a tree of product-quantised vectors."""
