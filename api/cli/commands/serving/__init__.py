"""The commands that serve collections: over HTTP, and to assistants."""
