"""Interfaces of other services: their requests and replies, which existing clients use."""
