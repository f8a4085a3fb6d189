"""The subcommands of `twindex train`, one module for each kind of reranker."""
