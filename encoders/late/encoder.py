"""A vector for each token of a text: late interaction (ColBERT, Khattab and Zaharia, SIGIR 2020).

A query scores a passage by MaxSim: for each query vector the greatest inner product with a vector
of the passage, added up.

Two kinds of models can be used:

- ColBERT-style ones, as sentence-transformers' MultiVectorEncoder reads them (its own folders,
  PyLate's, Stanford's): prompts, lengths, queries filled up with masks and tokens that are left out
  of passages are those of the model.
- any bi-encoder, whose weights were not trained for it: the last hidden state of each token, scaled
  to length 1. Punctuation is left out of passages. The tokenizer's special tokens stay, as in
  ColBERT; without them nDCG@10 of reranked lists is much the same (cranfield .383 for .387).
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.multi_vector_encoder.modules import (
    HierarchicalTokenPooling,
    MultiVectorMask,
)

from ...core import InvalidInputError, ModelError, Representation, Role
from ...llm import find_weights
from ..prescribed import prescribed_prompts
from ..text_model import TextModel
from .config import LateEncoderConfig
from .vectors import joined

CLOSE = 0.02
"""Numbers of vectors of length 1 that differ by less are the same up to the arithmetic."""

QUERIES = 64
"""Queries read at once."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Some texts: their places, the vectors and tokens of each, and which were cut."""

    rows: NDArray[np.int64]
    vectors: Sequence[NDArray[np.float32]]
    tokens: Sequence[Sequence[int]]
    truncated: NDArray[np.bool_]


class LateEncoder:
    """Gives `dense`, float32 [tokens, dimensions], and `offsets`. Thread-safe.

    Numbers are rounded to those that float16 has, so that they can be kept in half the bytes.
    """

    gives = LateEncoderConfig.gives

    def __init__(self, model: TextModel, config: LateEncoderConfig) -> None:
        self.config = config
        self._model = model
        self._prompts = prescribed_prompts(model.model, config)
        self.reader = model.reader(self._prompts["document"])
        """What cutting by tokens needs; None for a model without a limit."""
        self._transformer: Any = model.model[0]
        if config.query_length is not None:
            self._set_query_length(config.query_length)
        if config.document_length is not None:
            self._transformer.document_length = config.document_length
        self._pooling = HierarchicalTokenPooling(config.pooling)
        self.dimensions = self._probe()

    @classmethod
    def load(cls, config: LateEncoderConfig) -> LateEncoder:
        """Raises ModelError when the model cannot be found, read or used."""
        if _is_late(find_weights(config.model, revision=config.revision)):
            model = TextModel.load(MultiVectorEncoder, config, _own_limit)
        else:
            model = TextModel.load(SentenceTransformer, config, _token_vectors)
        with model.trying():
            return cls(model, config)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        own = self._model.fingerprint(self.config)
        return {
            **{name: value for name, value in own.items() if name != "max_length"},
            **{f"{role}_prompt": prompt for role, prompt in self._prompts.items()},
            "document_length": self._model.max_length,
            "query_length": self._query_length,
            "query_expansion": self._expansion,
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        return self.encode_tokens(texts, role=role, advance=advance)[0]

    def encode_tokens(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> tuple[Representation, list[list[str]]]:
        """The same, and the token of each vector; of merged vectors there are no tokens."""
        vectors: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(texts)
        names: list[list[str]] = [[] for _ in texts]
        truncated = np.zeros(len(texts), np.bool_)
        piece = self._model.tokenizer.convert_ids_to_tokens
        for read in self._documents(texts) if role == "document" else self._queries(texts):
            for row, own, tokens in zip(read.rows.tolist(), read.vectors, read.tokens, strict=True):
                vectors[row] = own
                names[row] = [str(name) for name in piece(list(tokens))]
            truncated[read.rows] = read.truncated
            if advance is not None:
                advance(len(read.rows))
        return joined(vectors, truncated, self.dimensions), names

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """See CountingEncoder."""
        limit = self._query_length if role == "query" else self._model.max_length
        lengths = self._model.lengths([self._prompts[role] + text for text in texts])
        expansion = self._expansion if role == "query" else None
        if expansion is not None:
            lengths = [max(length, int(expansion["length"])) for length in lengths]
        return lengths if limit is None else [min(length, limit) for length in lengths]

    def term(self, index: int) -> str:
        """Dense dimensions have no names: InvalidInputError."""
        raise InvalidInputError("the dimensions of a dense vector have no names")

    def _documents(self, texts: Sequence[str]) -> Iterator[_Read]:
        for batch in self._model.batches(texts, self._prompts["document"]):
            vectors, tokens = self._run(batch.features, "document")
            yield _Read(batch.rows, vectors, tokens, batch.truncated)

    def _queries(self, texts: Sequence[str]) -> Iterator[_Read]:
        """As the library prepares them: they may be filled up with masks."""
        prompt = self._prompts["query"]
        order = np.argsort([len(text) for text in texts], kind="stable")
        for first in range(0, len(texts), QUERIES):
            rows = order[first : first + QUERIES]
            asked = [texts[row] for row in rows]
            lengths = self._model.lengths([prompt + text for text in asked])
            with self._model.tokenizing:
                features = self._model.model.preprocess(asked, prompt=prompt, task="query")
            limit = self._query_length
            cut = np.array([limit is not None and length > limit for length in lengths], np.bool_)
            vectors, tokens = self._run(features, "query")
            yield _Read(rows, vectors, tokens, cut)

    def _run(
        self, features: Mapping[str, Any], role: Role
    ) -> tuple[list[NDArray[np.float32]], list[list[int]]]:
        """Vectors and tokens of each text, without what the model leaves out."""
        features = {
            name: value.to(self._model.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        ids, seen = features["input_ids"], features["attention_mask"].bool()
        with self._model.running(self.config.precision):
            found = self._model.model(features, task=role)
            kept = found["attention_mask"].bool()
            # A text of nothing but what is left out is known by its first token.
            first = torch.zeros_like(kept)
            first[torch.arange(len(kept)), seen.int().argmax(dim=1)] = True
            kept = torch.where(kept.any(dim=1, keepdim=True), kept, first)
            every = found["token_embeddings"].float()
            vectors = [own[mask] for own, mask in zip(every, kept, strict=True)]
        tokens = [own[mask].tolist() for own, mask in zip(ids, kept, strict=True)]
        if role == "document" and self.config.pooling > 1:
            vectors = [self._pooling.pool_one(own) for own in vectors]
            tokens = [[] for _ in tokens]
        half = [own.cpu().numpy().astype(np.float16).astype(np.float32) for own in vectors]
        return half, tokens

    @property
    def _expansion(self) -> Mapping[str, Any] | None:
        return getattr(self._transformer, "query_expansion", None)

    @property
    def _query_length(self) -> int | None:
        """Tokens read of a query."""
        expansion = self._expansion
        if expansion is not None and expansion["strategy"] == "fixed":
            return int(expansion["length"])
        own: int | None = getattr(self._transformer, "query_length", None)
        return self._model.max_length if own is None else own

    def _set_query_length(self, length: int) -> None:
        expansion = self._expansion
        self._transformer.query_expansion = None  # The two may contradict each other in between.
        self._transformer.query_length = length
        if expansion is not None:
            filled = length if expansion["strategy"] == "fixed" else expansion["length"]
            self._transformer.query_expansion = {**expansion, "length": min(filled, length)}

    def _probe(self) -> int:
        """Compare with the library's own way once, and learn the number of dimensions."""
        text = "A text to try the model with, and a mark or two."
        model = self._model.model
        prompts = self._prompts
        with self._model.tokenizing:
            query = model.encode_query([text], prompt=prompts["query"], show_progress_bar=False)
            document = model.encode_document(
                [text], prompt=prompts["document"], show_progress_bar=False
            )
        expected = {"query": query[0], "document": document[0]}
        for read, role in ((self._queries([text]), "query"), (self._documents([text]), "document")):
            own = next(read).vectors[0]
            reference = expected[role].float().cpu().numpy()
            pooled = role == "document" and self.config.pooling > 1
            if not pooled and (
                own.shape != reference.shape or np.abs(own - reference).max() > CLOSE
            ):
                raise ModelError(
                    f"model {self.config.model!r} reads text in a way of its own that is not "
                    "supported"
                )
        return int(own.shape[1])


def _own_limit(model: MultiVectorEncoder) -> MultiVectorEncoder:
    """The model with what it reads of a passage as the limit of its texts."""
    if (own := getattr(model[0], "document_length", None)) is not None:
        model.max_seq_length = own
    return model


def _token_vectors(bi: SentenceTransformer) -> MultiVectorEncoder:
    """A bi-encoder as a model that gives a vector for each token."""
    return MultiVectorEncoder(
        modules=[
            bi[0],
            MultiVectorMask(list(string.punctuation)),
            Normalize(module_input_name="token_embeddings"),
        ],
        prompts={name: prompt for name, prompt in bi.prompts.items() if prompt},
        device=str(bi.device),
    )


def _is_late(folder: Path) -> bool:
    """The folder's model was trained to give a vector for each token."""
    library = _json(folder / "config_sentence_transformers.json")
    if library.get("model_type") in ("ColBERT", "MultiVectorEncoder") or "query_prefix" in library:
        return True
    architectures = _json(folder / "config.json").get("architectures") or []
    return any(
        str(one) == "HF_ColBERT" or str(one).endswith("ForRetrieval") for one in architectures
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
