"""PromptReps (Zhuang et al., EMNLP 2024): a language model represents a text by one word.

The prompt ends with the quote that opens the answer. At this quote, the last layer's state is the
text's dense vector, and the logits of the next token are its sparse vector. Both come from one
pass, without training. This is the variant `single`:

- Text: white space around it is removed. The text is truncated to `max_length` tokens and put
  between the prefix and the suffix of the prompt (`prompts`). Prefix, text and suffix are tokenised
  separately, then concatenated.
- Dense: the state after the model's last norm, scaled to length 1. The score is the inner product.
  `layer` selects another layer. `center` first subtracts the vector (of length 1) of the prompt
  around an empty text. States of language models have a large component that all texts share and
  that hides their differences. (`center` is not in the paper.)
- Sparse: the weight of a token is 100 log(1 + relu(logit)), rounded. Only tokens of the text's own
  words have weights (modules `lexical.words` and `terms`). Stopwords have no weights. Words after
  `max_length` have weights too. The `top_terms` largest weights are kept; zeros are dropped. The
  score is the dot product. If a text has no words, or only stopwords, the 10 tokens of the
  vocabulary with the largest logits have weights.
  `expansion` is the number of tokens added from outside the text, beyond `top_terms`. The stopwords
  are those of the Snowball project. The authors use NLTK's later version of this list, which
  differs mostly in parts of contractions.

In the other variants the model generates up to 10 tokens greedily. It stops at a token that
contains a double quote or ends the model's turn (`readings`). The state from which this last token
was chosen is not used, unless it is the only state.

| variant            | prompt    | dense                         | sparse                  |
|--------------------|-----------|-------------------------------|-------------------------|
| single             | one word  | state at the quote            | its logits              |
| first_word         | one word  | mean of the tokens' states    | maximum over the tokens |
| multi_token_single | 3 words   | mean of the tokens' states    | maximum over the tokens |
| multi_token_multi  | 3 words   | one state for each token      | the token's logits      |
| multi_word_multi   | 3 words   | one vector for each word: the | maximum over the word's |
|                    |           | mean of its tokens' states,   | tokens                  |
|                    |           | each at length 1              |                         |

The variants named `*_multi` return several vectors for a text, see `Representation.offsets`. MaxSim
scores them.

The authors' code (github.com/ielab/PromptReps) fails or has no rule in some cases. The rules above
cover a closing quote as the first token, no closing quote within 10 tokens, and the end of the
model's turn. In addition:

- `first_word` is the mean over all tokens, even if the model writes several words.
- Vectors of words are scaled to length 1 again after the mean.
- If tokens have equal logits, the token with the lower id is kept.

A masked model is read at its mask token and supports only the variant `single`.
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
"""Version of the method. Increase it when a change produces different vectors for a model."""

WINDOW = 1_024
"""Number of texts that are tokenised and sorted by length together."""

MAX_LOGITS = 2**26
"""Maximum number of logits of one batch: texts x steps x vocabulary."""


class PromptRepsEncoder:
    """An encoder that takes vectors from the states of a language model. Thread-safe.

    Fills two fields of the Representation: `dense`, float32 [vectors, size of a hidden state], and
    `sparse`, float32 [vectors, vocabulary]. Variants with several vectors also fill `offsets`.

    >>> from twindex.llm.fake import FakeModel
    >>> encoder = PromptRepsEncoder(FakeModel(), PromptRepsEncoderConfig(model="fake"))
    >>> encoder.encode(["a red fox", ""], role="document").dense.shape
    (2, 64)
    """

    gives = PromptRepsEncoderConfig.gives

    def __init__(self, model: StateModel, config: PromptRepsEncoderConfig) -> None:
        """model: the loaded language model.

        Raises ConfigError for options that the model does not support.
        """
        self.config = config
        self._model = model
        self.dimensions = {"dense": model.dimensions, "sparse": model.vocabulary}
        """Number of dimensions of each part of a Representation."""
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
        """Load the encoder. Raises ModelError if its model cannot be found, read or used."""
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
        """Token counter for cutting documents into passages.

        It counts only the tokens of the text, because `max_length` does not include the prompt.
        """

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
        """Return the token with this index, as written in the model's vocabulary.

        Many vocabularies write a space as "Ġ" or "▁".

        Raises InvalidInputError for an index out of range.
        """
        if not 0 <= index < self._model.vocabulary:
            raise InvalidInputError(
                f"must be in [0, {self._model.vocabulary}), got {index}", field="index"
            )
        return self._model.piece(index)

    def _check_length(self) -> None:
        """Raise ConfigError if text, prompt and answer together exceed the model's limit.

        Without this check, a long run would fail only at its first long text.
        """
        limit = self._model.limit
        around = max(len(prefix) + len(suffix) for prefix, suffix in self._around.values())
        around += self._reader.steps - 1
        if limit is not None and self.config.max_length + around > limit:
            raise ConfigError(
                f"must be at most {max(0, limit - around)}, got {self.config.max_length}: model "
                f"{self._model.name!r} reads {limit} tokens, and prompt and answer take {around}",
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
        # The difference of an empty text is only rounding error, so its direction is random.
        dense[[not text for text in texts]] = 0
        return dense

    def _origin(self, role: Role) -> NDArray[np.float32]:
        """Return the vector that `center` subtracts from the dense vectors of texts with this role.

        Returns float32 [dimensions]: zeros without `center`. Raises ConfigError for a `layer` that
        the model does not have.
        """
        if self.config.center or self.config.layer != -1:
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
        """Yield the positions of the texts in each batch.

        Texts in a batch have similar lengths. A batch has at most `MAX_LOGITS` logits.

        lengths: number of tokens of each text.
        """
        most = max(1, MAX_LOGITS // (self._model.vocabulary * self._reader.steps))
        for rows in batches(lengths, self._model.batch_tokens):
            for start in range(0, len(rows), most):
                yield rows[start : start + most]
