"""A trained cheap scorer of windows, called a passage scorer.

`twindex train passage-scorer` writes it into a folder: a kernel model, a tokenizer and options.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from ...core import ConfigError, ModelError, Passage
from ...core.bounds import Bounds, Score
from ...core.config import Config
from .kernel_model import KernelModel

OPTIONS, WEIGHTS, TOKENIZER = "passage_scorer.json", "model.safetensors", "tokenizer.json"
TOKENS = 16_384
"""Maximum number of tokens in a batch of windows. A batch has at least one window."""


class ScorerOptions(Config):
    """Options stored in the folder of a passage scorer.

    dimensions: number of dimensions of the convolved vectors.
    size:       number of words in a window during training.
    overlap:    number of additional words on each side of a window during training.
    weights:    trained weights of the best window, the second best, and so on; None if these were
                not trained.
    trained:    description of the training, for information only.
    """

    version: Annotated[int, Bounds(1, 1)] = 1
    dimensions: Annotated[int, Bounds(1, 65_536)]
    size: Annotated[int, Bounds(4, 100_000)] = 50
    overlap: Annotated[int, Bounds(0, 100_000)] = 7
    weights: tuple[Score, ...] | None = None
    trained: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Convolved:
    """The convolved vectors (v_i in `kernel_model`) of the windows of one document.

    vectors: float16 [tokens, dimensions], vectors of length 1 of all windows, one after another.
    lengths: int64 [windows], number of tokens in each window.
    """

    vectors: NDArray[np.float16]
    lengths: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes + self.lengths.nbytes


class KernelScorer:
    """Scores windows with a `KernelModel` on the CPU. Thread-safe.

    `prepare` computes the convolved vectors of a document; see `Convolved`.
    """

    def __init__(self, model: KernelModel, tokenizer: Tokenizer, options: ScorerOptions) -> None:
        self.model = model.eval()
        self.options = options
        self.tokenizer = tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        with torch.inference_mode():
            self.tables = model.tables()

    @classmethod
    def load(cls, folder: Path) -> KernelScorer:
        """Load the passage scorer in a folder.

        Raises ConfigError if the folder contains no passage scorer, and ModelError if a file of the
        passage scorer is damaged.
        """
        if not (folder / OPTIONS).is_file():
            raise ConfigError(
                f'must be the folder of a passage scorer or "lexical", got {str(folder)!r}',
                field="fast",
            )
        try:
            options = ScorerOptions.model_validate(json.loads((folder / OPTIONS).read_bytes()))
            tensors = load_file(folder / WEIGHTS)
            model = KernelModel(tensors["embeddings"][:-1], options.dimensions)
            model.load_state_dict(tensors)
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # The tokenizers library raises plain exceptions.
            raise ModelError(
                f"the passage scorer in {folder} cannot be read ({error}); train it again with "
                "`twindex train passage-scorer`"
            ) from error
        return cls(model, tokenizer, options)

    def save(self, folder: Path) -> None:
        """Write the passage scorer (model, tokenizer and options) into an existing folder."""
        text = json.dumps(self.options.model_dump(mode="json"), indent=1)
        (folder / OPTIONS).write_text(text + "\n")
        save_file(self.model.state_dict(), folder / WEIGHTS)
        self.tokenizer.save(str(folder / TOKENIZER))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the word-piece ids of each text, without special tokens."""
        found = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def prepare(self, text: str, windows: Sequence[Passage]) -> Convolved:
        ids = self.tokenize([text[window.start : window.end] for window in windows])
        lengths = np.array([len(one) for one in ids], np.int64)
        vectors = np.empty((lengths.sum(), self.model.dimensions), np.float16)
        first, at = 0, 0
        with torch.inference_mode():
            for stop in _batches(lengths):
                made = self.model.vectors(ids[first:stop], self.tables).half().numpy()
                vectors[at : at + len(made)] = made
                first, at = stop, at + len(made)
        return Convolved(vectors, lengths)

    def scores(
        self, query: str, documents: Sequence[Convolved], deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = []
        with torch.inference_mode():
            query_vectors = self.model.vectors(self.tokenize([query]), self.tables)
            for document in documents:
                if deadline is not None and perf_counter() > deadline:
                    break
                vectors = torch.from_numpy(document.vectors).float()
                lengths = torch.from_numpy(document.lengths)
                found.append(self.model.scores(query_vectors, vectors, lengths).numpy())
        return found


def _batches(lengths: NDArray[np.int64]) -> list[int]:
    """Split windows into batches of at most `TOKENS` tokens. Return the end position of each batch.

    lengths: number of tokens of each window.
    """
    ends, total = [], 0
    for i, length in enumerate(lengths):
        if total and total + length > TOKENS:
            ends.append(i)
            total = 0
        total += length
    return [*ends, len(lengths)]
