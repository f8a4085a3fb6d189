"""The scann index."""
