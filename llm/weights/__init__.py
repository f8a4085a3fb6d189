"""Finds the weights of a model on this machine by its name, and identifies weights by a digest."""
