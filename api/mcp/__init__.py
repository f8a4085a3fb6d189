"""Tools for assistants, over the Model Context Protocol (MCP).

This folder needs the package `mcp` (extra `mcp`), which is imported when a server is built.
"""
