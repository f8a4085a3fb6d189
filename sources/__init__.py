"""Readers of files: documents, queries and relevance judgements.

Files are read as streams, and their records always come in the same order. Errors name the file,
line and field of an invalid record.
"""

from .attached import read_vectors, with_vectors
from .document import CheckedDocuments, check_document, checked_documents, parse_document
from .fields import FieldNames
from .folder import read_folder_documents, read_text_document
from .jsonl import read_jsonl_documents
from .judged import read_qrels, read_queries
from .lines import STDIN
from .read import count_documents, holds_records, read_documents
from .stdlib import read_stdlib_docstrings
from .survey import Survey, survey
from .table import read_table_documents
from .vectors import SparseVector, check_vector, vectors_digest

__all__ = [
    "STDIN",
    "CheckedDocuments",
    "FieldNames",
    "SparseVector",
    "Survey",
    "check_document",
    "check_vector",
    "checked_documents",
    "count_documents",
    "holds_records",
    "parse_document",
    "read_documents",
    "read_folder_documents",
    "read_jsonl_documents",
    "read_qrels",
    "read_queries",
    "read_stdlib_docstrings",
    "read_table_documents",
    "read_text_document",
    "read_vectors",
    "survey",
    "vectors_digest",
    "with_vectors",
]
