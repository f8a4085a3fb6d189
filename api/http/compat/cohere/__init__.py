"""Endpoints for Cohere's clients: chat and embeddings. `routes/rerank.py` has the reranking."""
