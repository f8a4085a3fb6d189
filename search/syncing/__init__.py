"""Keeping a collection in step with folders and files."""
