"""PromptReps (Zhuang et al., EMNLP 2024): a language model is asked for a text in one word.

At the quote that opens the answer, the last layer's state is the dense vector of the text and the
logits of the next token are its sparse vector: both from one pass, without training.

- Text: white space around it is removed, it is cut to `max_length` tokens, and stands between the
  parts of a prompt (`prompts`), all tokenised apart and joined as tokens.
- Dense: the state after the model's last norm, at length 1. Score: inner product.
  `layer` takes the state of another layer. `center` first subtracts the vector, at length 1, of the
  same prompt around an empty text: states of language models have a large part that is the same
  for all texts, and hides how they differ (not in the paper; it needs no other data).
- Sparse: log(1 + relu(logit)) for the tokens of the text's own words without stopwords (`words`,
  `terms`; of the whole text, also of what was cut off), the `top_terms` largest, times 100 and
  rounded; those that round to zero are left out. Score: dot product. A text without own words gets
  the 10 largest of the vocabulary. `expansion` adds so many beyond `top_terms` that are not the
  text's own. Stopwords are the Snowball project's, of which NLTK's, used by the authors, are a
  later form: most differences are parts of contractions.

With the other variants the model goes on greedily, up to 10 tokens, until a token contains a
double quote or ends its turn (`readings`). The state that chose this token is not used, unless it
is the first.

| variant            | asked for | dense                         | sparse                  |
|--------------------|-----------|-------------------------------|-------------------------|
| single             | one word  | state at the quote            | its logits              |
| first_word         | one word  | mean of the tokens' states    | largest logits of all   |
| multi_token_single | 3 words   | the same                      | the same                |
| multi_token_multi  | 3 words   | the state of each token       | the logits of each      |
| multi_word_multi   | 3 words   | of each word, the mean of its | of each word, the       |
|                    |           | tokens' states at length 1    | largest of its tokens   |

The multi variants give a text several vectors, `Representation.offsets`, scored by MaxSim.

What differs from the authors' code (github.com/ielab/PromptReps) where that fails or has no rule: a
closing quote as the very first token, or none within 10, is as above, and so is the end of the
model's turn. `first_word` is the mean over tokens even if the model writes several words.
Vectors of words are scaled to length 1 after the mean too. Of equal logits the lower token is kept.

A masked model is read at its mask, by the single variant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from ...core import ConfigError, InvalidInputError, Representation, Role, Usage, check_unicode
from ...llm import StateModel, States
from ...llm.batching import batches
from ...llm.protocol import Tokens
from ..protocol import TokenReader
from ..terms import OwnTerms, clean_tokens, weigh
from .config import MULTI_VARIANTS, PromptRepsEncoderConfig
from .prompts import check_markup, prompt
from .readings import Reader, unit

VERSION = 1
"""Raised whenever the same model would give other vectors."""

WINDOW = 1_024
"""Texts tokenised, and sorted by length, together."""

LOGITS = 2**26
"""Numbers that the logits of one batch may be."""


class PromptRepsEncoder:
    """A language model as an encoder. Gives `dense` and `sparse`, of the model's state dimensions
    and vocabulary. Thread-safe.

    >>> from twindex.llm.fake import FakeModel
    >>> encoder = PromptRepsEncoder(FakeModel(), PromptRepsEncoderConfig(model="fake"))
    >>> encoder.encode(["a red fox", ""], role="document").dense.shape
    (2, 64)
    """

    gives = PromptRepsEncoderConfig.gives

    def __init__(self, model: StateModel, config: PromptRepsEncoderConfig) -> None:
        """Raises ConfigError where the model cannot be asked as configured."""
        self.config = config
        self._model = model
        check_markup(model, config)
        self._prompts = {role: prompt(model, config, role) for role in get_args(Role)}
        begin = model.begin if config.template == "plain" else ()
        self._around = {
            role: (
                [*begin, *model.tokenize_markup(parts.prefix)],
                model.tokenize_markup(parts.suffix),
            )
            for role, parts in self._prompts.items()
        }
        self._terms = OwnTerms(model, config.language)
        self._reader = Reader(model, config.variant)
        self._check_length()
        self._origins = {role: self._origin(role) for role in get_args(Role)}
        self._clean = clean_tokens(model) if config.expansion else None

    @classmethod
    def load(cls, config: PromptRepsEncoderConfig) -> PromptRepsEncoder:
        """Raises ModelError when the model cannot be found, read or used."""
        from ...llm.loading import load_model

        return cls(
            load_model(
                config.model,
                revision=config.revision,
                precision=config.precision,
                device=config.device,
            ),
            config,
        )

    @property
    def reader(self) -> TokenReader:
        """What cutting by tokens needs: the tokens of the text alone, which `max_length` bounds."""

        def lengths(texts: Sequence[str]) -> list[int]:
            return [len(row) for row in self._model.tokenize([text.strip() for text in texts])]

        return TokenReader(self.config.max_length, lengths)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {
            **self.config.model_dump(exclude={"revision", "device"}),
            **self._model.fingerprint,
            **{
                f"{role}_prompt": [parts.prefix, parts.suffix]
                for role, parts in self._prompts.items()
            },
            "version": VERSION,
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        check_unicode(texts)
        suffix = self._around[role][1]
        truncated = np.zeros(len(texts), np.bool_)
        owner = [np.empty(0, np.int64)]
        dense = [np.empty((0, self._model.dimensions), np.float32)]
        sparse = [csr_array((0, self._model.vocabulary), dtype=np.float32)]
        usage = Usage()
        for start in range(0, len(texts), WINDOW):
            window = [text.strip() for text in texts[start : start + WINDOW]]
            terms = self._terms.of(window)
            tokens = self._model.tokenize(window)
            limit = self.config.max_length
            truncated[start : start + WINDOW] = [len(row) > limit for row in tokens]
            tokens = [row[:limit] for row in tokens]
            for rows in self._batches([len(row) + len(suffix) for row in tokens]):
                states = self._read([tokens[row] for row in rows], role)
                readings = self._reader(states)
                rows = np.repeat(rows, readings.counts)
                owner.append(rows + start)
                dense.append(self._centered(readings.dense, role, [tokens[row] for row in rows]))
                sparse.append(self._weigh(readings.logits, [terms[row] for row in rows]))
                usage += states.usage
                if advance is not None:
                    advance(len(states.steps))
        owners = np.concatenate(owner)
        order = np.argsort(owners, kind="stable")
        counts = np.bincount(owners, minlength=len(texts))
        several = self.config.variant in MULTI_VARIANTS
        return Representation(
            dense=np.concatenate(dense)[order],
            sparse=csr_array(vstack(sparse, format="csr"))[order],
            truncated=truncated,
            offsets=np.concatenate(([0], np.cumsum(counts))) if several else None,
            usage=usage,
        )

    def term(self, index: int) -> str:
        """The vocabulary's piece, as it is there ("Ġ" or "▁" is a space in many)."""
        if not 0 <= index < self._model.vocabulary:
            raise InvalidInputError(f"must be in [0, {self._model.vocabulary})", field="index")
        return self._model.piece(index)

    def _check_length(self) -> None:
        """Refuse now what would fail at the first long text, which may be hours away."""
        limit = self._model.limit
        around = max(len(prefix) + len(suffix) for prefix, suffix in self._around.values())
        around += self._reader.steps - 1
        if limit is not None and self.config.max_length + around > limit:
            raise ConfigError(
                f"{self.config.max_length} tokens of a text and {around} of the prompt and the "
                f"answer are more than the {limit} that model {self._model.name!r} reads: "
                f"{max(0, limit - around)} at most",
                field="max_length",
            )

    def _read(self, texts: Sequence[Tokens], role: Role) -> States:
        prefix, suffix = self._around[role]
        return self._model.read(
            texts,
            prefix=prefix,
            suffix=suffix,
            steps=self._reader.steps,
            stop=self._reader.stop,
            layer=self.config.layer,
        )

    def _centered(
        self, dense: NDArray[np.float32], role: Role, texts: Sequence[Tokens]
    ) -> NDArray[np.float32]:
        if not self.config.center:
            return dense
        dense = unit(dense - self._origins[role])
        dense[[not text for text in texts]] = 0  # but for rounding; its direction means nothing
        return dense

    def _origin(self, role: Role) -> NDArray[np.float32]:
        """What is subtracted from dense vectors: float32 [d]."""
        if self.config.center or self.config.layer != -1:  # a wrong layer is known at once, too
            read: NDArray[np.float32] = self._reader(self._read([[]], role)).dense[0]
            if self.config.center:
                return read
        return np.zeros(self._model.dimensions, np.float32)

    def _weigh(self, logits: NDArray[np.float32], terms: Sequence[NDArray[np.int64]]) -> csr_array:
        return weigh(
            logits,
            terms,
            top=self.config.top_terms,
            expansion=self.config.expansion,
            clean=self._clean,
        )

    def _batches(self, lengths: Sequence[int]) -> Iterator[NDArray[np.int64]]:
        """Batches by length, of as many texts as memory is there for the logits of all steps."""
        most = max(1, LOGITS // (self._model.vocabulary * self._reader.steps))
        for rows in batches(lengths, self._model.batch_tokens):
            for start in range(0, len(rows), most):
                yield rows[start : start + most]
