"""Twindex in LlamaIndex: a retriever, a node postprocessor and a vector store.

    from twindex.integrations.llama_index import TwindexRetriever

    retriever = TwindexRetriever(collection, similarity_top_k=5)
    nodes = retriever.retrieve("flightless bird")

Needs `pip install 'twindex[llama-index]'`.
"""

from ..extras import require

require("llama_index.core", "llama-index-core", "llama-index")

from .filters import to_filter
from .postprocessor import TwindexRerank
from .retriever import TwindexRetriever
from .vector_store import TwindexVectorStore

__all__ = ["TwindexRerank", "TwindexRetriever", "TwindexVectorStore", "to_filter"]
