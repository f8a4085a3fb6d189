"""Collections whose vectors are brought, and equal ones whose encoders make the same vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from twindex.core import Document
from twindex.encoders import (
    DenseEncoderConfig,
    ExternalEncoderConfig,
    ExternalSparseEncoderConfig,
    FakeDenseEncoder,
    FakeSparseEncoder,
    PassageConfig,
    SparseEncoderConfig,
)
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg, StorageConfig

DENSE, SPARSE = FakeDenseEncoder(), FakeSparseEncoder()
STORAGE = StorageConfig(seal_passages=1_000_000)
NONE = PassageConfig(unit="none")
WIDTH = 2**15


def encoded(**storage: Any) -> CollectionConfig:
    """A collection whose encoders make the vectors."""
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake"), **storage),
            "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
            "lexical": LexicalLeg(),
        },
        passages=NONE,
        storage=STORAGE,
    )


def external(**storage: Any) -> CollectionConfig:
    """A collection to which documents bring the vectors."""
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=ExternalEncoderConfig(dimensions=64), **storage),
            "sparse": SparseLeg(encoder=ExternalSparseEncoderConfig(dimensions=WIDTH)),
            "lexical": LexicalLeg(),
        },
        passages=NONE,
        storage=STORAGE,
    )


def dense(text: str, role: Any = "document") -> np.ndarray:
    return DENSE.encode([text], role=role).dense[0]


def sparse(text: str, role: Any = "document") -> dict[str, Any]:
    row = SPARSE.encode([text], role=role).sparse
    return {"indices": row.indices.tolist(), "values": row.data.tolist()}


def bring(document: Document) -> Document:
    """The document with the vectors that the fake encoders make."""
    text = f"{document.title} {document.text}".strip()
    return Document(
        document.id,
        document.text,
        document.title,
        document.metadata,
        {"dense": dense(text), "sparse": sparse(text)},
    )


def query(text: str) -> dict[str, Any]:
    """The fields of a request with the vectors of a query."""
    vectors = {"dense": dense(text, "query").tolist(), "sparse": sparse(text, "query")}
    return {"query": text, "vectors": vectors}


def corpus(n: int) -> list[Document]:
    return [
        Document(f"d{i}", f"common topic{i % 17} item{i} of {i % 5}", metadata={"n": i % 10})
        for i in range(n)
    ]
