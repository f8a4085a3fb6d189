"""Runs language models on this machine with the Python library transformers."""
