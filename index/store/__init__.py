"""A durable collection in a folder: its database, its segments, its delta."""
