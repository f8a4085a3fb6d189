"""The local store: a durable collection in a folder, with a database, segments and a delta."""
