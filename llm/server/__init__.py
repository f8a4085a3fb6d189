"""Runs language models on an OpenAI-compatible HTTP server."""
