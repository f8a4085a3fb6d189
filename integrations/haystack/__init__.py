"""Twindex in Haystack: a document store, retrievers and a ranker.

    from twindex.integrations.haystack import TwindexDocumentStore, TwindexRetriever

    store = TwindexDocumentStore("birds")
    pipeline.add_component("retriever", TwindexRetriever(store, top_k=5))

Needs `pip install 'twindex[haystack]'`. Haystack sends usage data when it is imported and when a
pipeline runs, unless the environment sets HAYSTACK_TELEMETRY_ENABLED=False.
"""

from ..extras import require

require("haystack", "haystack-ai", "haystack")

from .document_store import TwindexDocumentStore
from .filters import TwindexFilterError, to_filter
from .ranker import TwindexRanker
from .retrievers import TwindexEmbeddingRetriever, TwindexRetriever

__all__ = [
    "TwindexDocumentStore",
    "TwindexEmbeddingRetriever",
    "TwindexFilterError",
    "TwindexRanker",
    "TwindexRetriever",
    "to_filter",
]
