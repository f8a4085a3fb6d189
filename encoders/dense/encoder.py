"""Dense vectors from a sentence-transformers bi-encoder, with the model's own pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from ...core import InvalidInputError, ModelError, Representation, Role
from ..model_prompts import model_prompts
from ..text_model import TextModel
from .config import DenseEncoderConfig

SAME_COSINE = 0.999
"""Vectors with at least this cosine count as equal: smaller differences are rounding."""


class DenseEncoder:
    """A sentence-transformers bi-encoder, which returns one dense vector for each text.

    Fills `dense` of the Representation: float32 [n, dimensions]. If `normalize` is set, vectors
    have length 1. The vectors equal those of `SentenceTransformer.encode(prompt + text)`.
    Thread-safe: one batch runs at a time.
    """

    gives = DenseEncoderConfig.gives

    def __init__(self, model: TextModel, config: DenseEncoderConfig) -> None:
        self.config = config
        self._model = model
        self._prompts = model_prompts(model.model, config)
        self.reader = model.reader(self._prompts["document"])
        """Token counter for cutting documents into passages. None: the model has no limit."""
        if not config.normalize:
            _drop_normalization(model.model)
        self._probe()

    @classmethod
    def load(cls, config: DenseEncoderConfig) -> DenseEncoder:
        """Load the encoder. Raises ModelError if its model cannot be found, read or used."""
        model = TextModel.load(SentenceTransformer, config)
        with model.trying():
            return cls(model, config)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {
            **self._model.fingerprint(self.config),
            **{f"{role}_prompt": prompt for role, prompt in self._prompts.items()},
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        prompt = self._prompts[role]
        dense = np.empty((len(texts), self.dimensions), np.float32)
        truncated = np.zeros(len(texts), np.bool_)
        for batch in self._model.batches(texts, prompt):
            with self._model.running(self.config.precision, role):
                vectors = self._model.model(batch.features)["sentence_embedding"].float()
                if self.config.normalize:
                    vectors = torch.nn.functional.normalize(vectors, dim=1)
                dense[batch.rows] = vectors.cpu().numpy()
            truncated[batch.rows] = batch.truncated
            if advance is not None:
                advance(len(batch.rows))
        return Representation(dense=dense, truncated=truncated)

    def term(self, index: int) -> str:
        """Raise InvalidInputError, because dimensions of a dense vector have no names."""
        raise InvalidInputError("dimensions of a dense vector have no names: use a sparse encoder")

    def _probe(self) -> None:
        """Set `dimensions`, and check that a test text gets the vector of sentence-transformers.

        In `SentenceTransformer.encode`, some models change a text before it is tokenised. This
        class does not support such models. It raises ModelError if the two vectors differ.
        """
        text = "A text to try the model with."
        with self._model.tokenizing:
            reference = self._model.model.encode(
                [text], prompt=self._prompts["query"], show_progress_bar=False
            )
        self.dimensions = int(reference.shape[1])
        own = self.encode([text], role="query").dense
        if own is None or _cosine(own[0], reference[0]) < SAME_COSINE:
            raise ModelError(
                f"model {self.config.model!r} preprocesses text in a way that is not supported: "
                "choose another model"
            )


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


def _drop_normalization(model: Any) -> None:
    """Remove the model's last module if it scales vectors to length 1."""
    if type(model[-1]).__name__ == "Normalize":
        del model[-1]
