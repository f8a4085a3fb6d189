"""Arrays and files on disk, and the protocol for reading vectors in pieces."""
