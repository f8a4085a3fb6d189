"""The collections, rerankers and jobs that a server holds."""
