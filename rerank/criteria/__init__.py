"""REBEL: a language model scores hits by relevance and by further criteria."""
