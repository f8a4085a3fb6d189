"""Writing of documents: cutting, encoding, batches, offline builds and maintenance."""
