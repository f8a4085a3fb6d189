"""A language model asked to order a window of passages."""
