"""Writes documents: cutting, encoding, batches, offline builds, syncs and maintenance."""
