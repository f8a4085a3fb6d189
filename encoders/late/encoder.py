"""Late interaction: one vector for each token of a text (ColBERT, Khattab and Zaharia, SIGIR 2020).

MaxSim scores a passage: for each query vector, take the greatest inner product with a passage
vector; the score is the sum.

Two kinds of models are supported:

- ColBERT-style models that sentence-transformers' MultiVectorEncoder can read (folders of its own
  format, of PyLate and of Stanford's code). The model defines the prompts, the lengths, the padding
  of queries with mask tokens and the tokens that passages leave out.
- Any bi-encoder, although its weights were not trained for late interaction. A vector is the last
  hidden state of a token, scaled to length 1. Passages leave out punctuation. Special tokens are
  kept, as in ColBERT; without them nDCG@10 of reranked lists is similar (cranfield: .383 without,
  .387 with).
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
from ..model_prompts import model_prompts
from ..text_model import TextModel
from .config import LateEncoderConfig
from .vectors import concatenate

SAME_WITHIN = 0.02
"""Tolerance for the numbers of two vectors of length 1. Smaller differences are rounding."""

QUERY_BATCH = 64
"""Number of queries encoded in one batch."""


@dataclass(frozen=True, slots=True)
class _EncodedBatch:
    """The vectors and token ids of a batch of texts.

    rows:      positions of these texts in the list of all texts to encode.
    vectors:   for each text, float32 [vectors, dimensions].
    tokens:    for each text, the token id of each vector. Empty if vectors were merged.
    truncated: for each text, True if it has more tokens than the model reads.
    """

    rows: NDArray[np.int64]
    vectors: Sequence[NDArray[np.float32]]
    tokens: Sequence[Sequence[int]]
    truncated: NDArray[np.bool_]


class LateEncoder:
    """A late-interaction encoder: one vector for each token. Thread-safe.

    Fills two fields of the Representation: `dense`, float32 [vectors of all texts, dimensions], and
    `offsets`, which maps each text to its rows of `dense`. The numbers in `dense` are rounded to
    float16 values, so storing them as float16 loses nothing.
    """

    gives = LateEncoderConfig.gives

    def __init__(self, model: TextModel, config: LateEncoderConfig) -> None:
        self.config = config
        self._model = model
        self._prompts = model_prompts(model.model, config)
        self.reader = model.reader(self._prompts["document"])
        """Token counter for cutting documents into passages. None: the model has no limit."""
        self._transformer: Any = model.model[0]
        if config.query_length is not None:
            self._set_query_length(config.query_length)
        if config.document_length is not None:
            self._transformer.document_length = config.document_length
        self._pooling = HierarchicalTokenPooling(config.pooling)
        self.dimensions = self._probe()

    @classmethod
    def load(cls, config: LateEncoderConfig) -> LateEncoder:
        """Load the encoder. Raises ModelError if its model cannot be found, read or used."""
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
        """Return the vectors of `texts`, and for each text the tokens that its vectors represent.

        See TokenEncoder.
        """
        vectors: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(texts)
        names: list[list[str]] = [[] for _ in texts]
        truncated = np.zeros(len(texts), np.bool_)
        token_names = self._model.tokenizer.convert_ids_to_tokens
        encode = self._encode_documents if role == "document" else self._encode_queries
        for batch in encode(texts):
            rows = batch.rows.tolist()
            for row, own, tokens in zip(rows, batch.vectors, batch.tokens, strict=True):
                vectors[row] = own
                names[row] = [str(name) for name in token_names(list(tokens))]
            truncated[batch.rows] = batch.truncated
            if advance is not None:
                advance(len(batch.rows))
        return concatenate(vectors, truncated, self.dimensions), names

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Return the number of tokens that the model reads of each text. See CountingEncoder."""
        limit = self._query_length if role == "query" else self._model.max_length
        lengths = self._model.lengths([self._prompts[role] + text for text in texts])
        expansion = self._expansion if role == "query" else None
        if expansion is not None:
            lengths = [max(length, int(expansion["length"])) for length in lengths]
        return lengths if limit is None else [min(length, limit) for length in lengths]

    def term(self, index: int) -> str:
        """Raise InvalidInputError, because dimensions of a dense vector have no names."""
        raise InvalidInputError("dimensions of a dense vector have no names: use a sparse encoder")

    def _encode_documents(self, texts: Sequence[str]) -> Iterator[_EncodedBatch]:
        for batch in self._model.batches(texts, self._prompts["document"]):
            vectors, tokens = self._run(batch.features, "document")
            yield _EncodedBatch(batch.rows, vectors, tokens, batch.truncated)

    def _encode_queries(self, texts: Sequence[str]) -> Iterator[_EncodedBatch]:
        """Encode queries in batches.

        sentence-transformers tokenises the queries, because some models pad queries with mask
        tokens.
        """
        prompt = self._prompts["query"]
        order = np.argsort([len(text) for text in texts], kind="stable")
        for first in range(0, len(texts), QUERY_BATCH):
            rows = order[first : first + QUERY_BATCH]
            queries = [texts[row] for row in rows]
            lengths = self._model.lengths([prompt + text for text in queries])
            with self._model.tokenizing:
                features = self._model.model.preprocess(queries, prompt=prompt, task="query")
            limit = self._query_length
            cut = np.array([limit is not None and length > limit for length in lengths], np.bool_)
            vectors, tokens = self._run(features, "query")
            yield _EncodedBatch(rows, vectors, tokens, cut)

    def _run(
        self, features: Mapping[str, Any], role: Role
    ) -> tuple[list[NDArray[np.float32]], list[list[int]]]:
        """Run the model on a batch, and return the vectors and the token ids of each text.

        Tokens that the model leaves out, such as punctuation, have no vector.

        features: the model's input: tensors of token ids, attention mask and so on.
        """
        features = {
            name: value.to(self._model.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        ids, seen = features["input_ids"], features["attention_mask"].bool()
        with self._model.running(self.config.precision, role):
            output = self._model.model(features, task=role)
            kept = output["attention_mask"].bool()
            # A text whose tokens are all skipped keeps its first token.
            first = torch.zeros_like(kept)
            first[torch.arange(len(kept)), seen.int().argmax(dim=1)] = True
            kept = torch.where(kept.any(dim=1, keepdim=True), kept, first)
            embeddings = output["token_embeddings"].float()
            vectors = [own[mask] for own, mask in zip(embeddings, kept, strict=True)]
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
        """Maximum number of tokens that the model reads of a query. None: no limit."""
        expansion = self._expansion
        if expansion is not None and expansion["strategy"] == "fixed":
            return int(expansion["length"])
        own: int | None = getattr(self._transformer, "query_length", None)
        return self._model.max_length if own is None else own

    def _set_query_length(self, length: int) -> None:
        expansion = self._expansion
        # Without this, the new length could contradict the old expansion.
        self._transformer.query_expansion = None
        self._transformer.query_length = length
        if expansion is not None:
            filled = length if expansion["strategy"] == "fixed" else expansion["length"]
            self._transformer.query_expansion = {**expansion, "length": min(filled, length)}

    def _probe(self) -> int:
        """Check that a test text gets the vectors of sentence-transformers, as query and document.

        Returns the number of dimensions. Raises ModelError if the vectors differ.
        """
        text = "A text to try the model with, and a mark or two."
        model = self._model.model
        prompts = self._prompts
        with self._model.tokenizing:
            query = model.encode_query([text], prompt=prompts["query"], show_progress_bar=False)
            document = model.encode_document(
                [text], prompt=prompts["document"], show_progress_bar=False
            )
        expected = {"query": query[0], "document": document[0]}
        for batches, role in (
            (self._encode_queries([text]), "query"),
            (self._encode_documents([text]), "document"),
        ):
            own = next(batches).vectors[0]
            reference = expected[role].float().cpu().numpy()
            pooled = role == "document" and self.config.pooling > 1
            if not pooled and (
                own.shape != reference.shape or np.abs(own - reference).max() > SAME_WITHIN
            ):
                raise ModelError(
                    f"model {self.config.model!r} preprocesses text in a way that is not "
                    "supported: choose another model"
                )
        return int(own.shape[1])


def _own_limit(model: MultiVectorEncoder) -> MultiVectorEncoder:
    """Set `max_seq_length` to the model's limit for passages, if it has one. Return the model."""
    if (own := getattr(model[0], "document_length", None)) is not None:
        model.max_seq_length = own
    return model


def _token_vectors(bi: SentenceTransformer) -> MultiVectorEncoder:
    """Convert a bi-encoder to a model that returns one vector for each token."""
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
    """Return True if the model in `folder` was trained for late interaction."""
    library = _json(folder / "config_sentence_transformers.json")
    if library.get("model_type") in ("ColBERT", "MultiVectorEncoder") or "query_prefix" in library:
        return True
    architectures = _json(folder / "config.json").get("architectures") or []
    return any(
        str(one) == "HF_ColBERT" or str(one).endswith("ForRetrieval") for one in architectures
    )


def _json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or {} if the file is missing or has no valid object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
