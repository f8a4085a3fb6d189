"""Command-line arguments that several commands share, and functions that interpret them."""
