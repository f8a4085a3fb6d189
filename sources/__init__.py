"""Readers of files: documents, queries and relevance judgements.

Files are read as streams, and their records always come in the same order. Errors name the file,
line and field of an invalid record.
"""

from .attached import read_vectors, with_vectors
from .document import CheckedDocuments, check_document, checked_documents, parse_document
from .fields import FieldNames
from .files import FileReader
from .folder import read_folder_documents, walk
from .formats import Converted, Format, Limits, UnreadableError, register_format
from .judged import read_answers, read_qrels, read_queries
from .lines import STDIN
from .named_datasets import read_named_documents
from .read import count_documents, holds_records, read_documents, read_records, walk_source
from .records.arrow import read_arrow_documents
from .records.jsonl import read_jsonl_documents
from .records.table import read_table_documents
from .stdlib import read_stdlib_docstrings
from .survey import Survey, survey
from .vectors import SparseVector, check_vector, vectors_digest

__all__ = [
    "STDIN",
    "CheckedDocuments",
    "Converted",
    "FieldNames",
    "FileReader",
    "Format",
    "Limits",
    "SparseVector",
    "Survey",
    "UnreadableError",
    "check_document",
    "check_vector",
    "checked_documents",
    "count_documents",
    "holds_records",
    "parse_document",
    "read_answers",
    "read_arrow_documents",
    "read_documents",
    "read_folder_documents",
    "read_jsonl_documents",
    "read_named_documents",
    "read_qrels",
    "read_queries",
    "read_records",
    "read_stdlib_docstrings",
    "read_table_documents",
    "read_vectors",
    "register_format",
    "survey",
    "vectors_digest",
    "walk",
    "walk_source",
    "with_vectors",
]
