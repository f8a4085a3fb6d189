"""Language models on this machine, through transformers."""
