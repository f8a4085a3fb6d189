"""Conditions on metadata, and the documents that meet them."""
