"""The intra-document cascade: of a long document only the windows that matter are read."""

from .lexical_scorer import LexicalScorer
from .reranker import IntraDocumentReranker
from .scorer import WindowScorer

__all__ = ["IntraDocumentReranker", "LexicalScorer", "WindowScorer"]
