"""The local store: a durable collection in a folder.

The folder has an SQLite database and segments (immutable index files). Documents that are not in a
segment yet are in an index in memory, the delta.
"""
