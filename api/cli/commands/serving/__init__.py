"""The commands that serve collections to assistants."""
