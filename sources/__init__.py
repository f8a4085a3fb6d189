"""Readers of files: documents, queries and relevance judgements.

Files are read as streams, and their records always come in the same order. Errors name the file,
line and field of an invalid record.
"""

from .attached import with_vectors
from .document import CheckedDocuments, check_document, checked_documents, parse_document
from .fields import FieldNames
from .files import FileReader
from .folder import walk
from .formats import Converted, Format, Limits, UnreadableError, register_format
from .judged import read_answers, read_qrels, read_queries
from .lines import STDIN
from .listing import Listing, SourceFile, holds_records, list_source
from .named_datasets import read_named_documents
from .read import count_documents, read_documents, read_records
from .records.arrow import read_arrow_documents
from .records.jsonl import read_jsonl_documents
from .records.table import read_table_documents
from .stdlib import read_stdlib_docstrings
from .survey import Survey, survey
from .vector_files import read_vectors
from .vectors import SparseVector, check_vector, vectors_digest

__all__ = [
    "STDIN",
    "CheckedDocuments",
    "Converted",
    "FieldNames",
    "FileReader",
    "Format",
    "Limits",
    "Listing",
    "SourceFile",
    "SparseVector",
    "Survey",
    "UnreadableError",
    "check_document",
    "check_vector",
    "checked_documents",
    "count_documents",
    "holds_records",
    "list_source",
    "parse_document",
    "read_answers",
    "read_arrow_documents",
    "read_documents",
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
    "with_vectors",
]
