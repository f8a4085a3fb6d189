"""Arguments that commands share, and what they mean."""
