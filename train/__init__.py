"""Trains rerankers (cross-encoders and passage scorers) from judged and generated queries."""
