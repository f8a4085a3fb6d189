"""Twindex in LangChain: a retriever, a document compressor and a vector store.

    from twindex.integrations.langchain import TwindexRetriever

    retriever = TwindexRetriever(collection=collection, k=5)
    documents = retriever.invoke("flightless bird")

Needs `pip install 'twindex[langchain]'`.
"""

from ..extras import require

require("langchain_core", "langchain-core", "langchain")

from .compressor import TwindexReranker
from .filters import TwindexTranslator, to_filter
from .retriever import TwindexRetriever
from .vector_store import TwindexVectorStore

__all__ = [
    "TwindexReranker",
    "TwindexRetriever",
    "TwindexTranslator",
    "TwindexVectorStore",
    "to_filter",
]
