"""The metrics of a server, and the counts that they read."""
