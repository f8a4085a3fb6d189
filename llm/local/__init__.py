"""Runs language models on this machine with the library transformers."""
