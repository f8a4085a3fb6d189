"""Pydantic models of requests and replies, for the OpenAPI document."""
