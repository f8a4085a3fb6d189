"""A language model asked of each passage alone."""
