"""Text analysis for BM25: words, stopwords and stems."""
