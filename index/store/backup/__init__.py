"""Snapshots of a collection in use: copies of one commit, in a folder or an object store."""
