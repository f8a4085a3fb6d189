"""Twindex: dense, sparse and lexical retrieval in one durable index.

The rooms are sub-packages: `twindex.search` is where most programs start.
"""

__version__ = "0.1.0"
