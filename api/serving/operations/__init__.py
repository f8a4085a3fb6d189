"""Snapshots, restorations, aliases and re-embedding of the collections of a server."""
