"""Endpoints for OpenAI's clients: chat completions, responses, embeddings, models, searches."""
