"""TILDEv2 (Zhuang and Zuccon, 2021): weights of a passage's own tokens; queries need no model.

    score(q, d) = sum over the tokens t of q of  (max w_j over the positions j of d with d_j = t)

Here d_j is the token at position j of the passage d, and w_j its weight. A query is the bag of its
tokens with their counts, without the tokens that get no weight (`stop_tokens`). A model computes
the weights of a passage once, for the index. A search only looks them up.

A model trained as TILDEv2 is BERT with the additional layer `tok_proj` (W, b). It computes
w_j = relu(W h_j + b), where h_j is the last hidden state at position j. Other masked language
models and SPLADE give approximations: w_j = log(1 + relu(z_j)), where z_j is the logit of token d_j
at its own position j. These weights were not trained to be added up over the tokens of a query.
Masked language models were trained to predict a token from its context, and SPLADE for products of
query and document weights. So the weights are a weaker signal of which tokens matter.

With `expansion`, a language-model head predicts likely tokens for a passage. Tokens that are not in
the passage are appended to it, and a second pass weights the expanded passage. TILDE's own model
predicts these tokens at the first position. With SPLADE and other models, a token's rank depends on
its greatest logit at any position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import transformers
from numpy.typing import NDArray

from ...core import ConfigError, InvalidInputError, Representation, Role
from ...llm import find_weights, weights_digest
from ...llm.local.pretrained import loading, quiet
from ...llm.tokenizer import Tokenizer
from ..protocol import TokenReader
from ..pruning import weights_of
from ..terms import stoplist
from .config import TildeEncoderConfig
from .model import HeadWeights, TrainedWeights, load_expander, load_weigher, trained_projection

KEPT = frozenset({"where", "how", "what", "when", "which", "why", "who"})
"""Question words: stopwords that keep their weights."""

WINDOW = 1_024
"""Number of passages that are tokenised and sorted by length together."""


class TildeEncoder:
    """A TILDEv2 encoder, which weights only the tokens that occur in a text. Thread-safe.

    Fills `sparse` of the Representation: CSR float32 [n, vocabulary], without `stop_tokens`. Models
    are loaded when the first passage is encoded. Queries require no model.
    """

    gives = TildeEncoderConfig.gives

    def __init__(
        self,
        config: TildeEncoderConfig,
        tokenizer: Tokenizer,
        names: Sequence[str],
        limit: int,
        digests: Mapping[str, str],
        projection: Any,
    ) -> None:
        """Create the encoder. Usually `load` is called instead.

        names:      strings of the vocabulary's tokens: names[i] is the token with the id i.
        limit:      maximum number of tokens that the model can read, including special tokens.
        digests:    fingerprint key -> digest of a model's weights.
        projection: result of `trained_projection`.
        """
        self.config = config
        self._tokenizer = tokenizer
        self._names = names
        self.dimensions = len(names)
        self._around = tokenizer.around()
        self._added = sum(map(len, self._around))
        self._limit = limit
        self._length = min(config.max_length or limit, limit)
        self._digests = digests
        self._projection = projection
        self.stop = stop_tokens(tokenizer, names, config.language)
        """Tokens that get no weight."""
        self._weigher: TrainedWeights | HeadWeights | None = None
        self._expander: HeadWeights | None = None
        self._loading = Lock()

    @classmethod
    def load(cls, config: TildeEncoderConfig) -> TildeEncoder:
        """Load the tokenizer. The models are loaded when the first passage is encoded.

        Raises ModelError if a model cannot be found or used, and ConfigError for options that the
        model does not support.
        """
        folder = find_weights(config.model, revision=config.revision)
        projection = trained_projection(config.model, config.revision)
        if config.expansion and projection is not None and config.expansion_model is None:
            raise ConfigError(
                f"model {config.model!r} has no language-model head for expansion: set "
                "`expansion_model` to a model that has one, such as TILDE's",
                field="expansion",
            )
        tokenizer, names = _tokenizer(config.model, folder)
        digests = {"weights": weights_digest(folder)}
        if config.expansion and config.expansion_model is not None:
            other = find_weights(config.expansion_model)
            digests["expansion_weights"] = weights_digest(other)
            if _tokenizer(config.expansion_model, other)[1] != names:
                raise ConfigError(
                    f"model {config.expansion_model!r} has a different vocabulary than "
                    f"{config.model!r}: choose a model with the same vocabulary",
                    field="expansion_model",
                )
        limit = min(_positions(config.model, folder), tokenizer.limit)
        if config.max_length is not None and config.max_length > limit:
            raise ConfigError(
                f"must be at most {limit} (the limit of model {config.model!r}), got "
                f"{config.max_length}",
                field="max_length",
            )
        return cls(config, tokenizer, names, limit, digests, projection)

    @property
    def reader(self) -> TokenReader:
        """Token counter for cutting documents into passages."""

        def lengths(texts: Sequence[str]) -> list[int]:
            return [len(tokens) + self._added for tokens in self._tokenizer.tokenize(texts)]

        return TokenReader(self._length, lengths)

    @property
    def trained(self) -> bool:
        """True if the model was trained as TILDEv2: its weights have the layer `tok_proj`."""
        return self._projection is not None

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        expander = self.config.expansion_model
        return {
            **self.config.model_dump(exclude={"revision", "device"}),
            "model": Path(self.config.model).name,
            "expansion_model": None if expander is None else Path(expander).name,
            "expansion_reading": self._reading,
            "max_length": self._length,
            "trained": self.trained,
            **self._digests,
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        rows: list[Mapping[int, float]] = []
        truncated: list[bool] = []
        for start in range(0, len(texts), WINDOW):
            window = texts[start : start + WINDOW]
            tokens = self._tokenizer.tokenize(window)
            if role == "query":
                rows += [self._count(own) for own in tokens]
                truncated += [False] * len(tokens)
                if advance is not None:
                    advance(len(tokens))
            else:
                room = self._length - self._added
                truncated += [len(own) > room for own in tokens]
                rows += self._weigh([own[:room] for own in tokens], advance)
        sparse = weights_of(rows, len(self._names))
        return Representation(sparse=sparse, truncated=np.array(truncated, np.bool_))

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Return the maximum number of tokens that models read of each text. See CountingEncoder.

        With expansion, a text is read twice, and both times count.
        """
        if role == "query":
            return [0] * len(texts)
        read = [min(length, self._length) for length in self.reader.lengths(texts)]
        more = self.config.expansion
        return [own + min(own + more + 1, self._limit) for own in read] if more else read

    def term(self, index: int) -> str:
        if not 0 <= index < len(self._names):
            raise InvalidInputError(
                f"must be in [0, {len(self._names)}), got {index}", field="index"
            )
        return self._names[index]

    def _count(self, tokens: Sequence[int]) -> Mapping[int, float]:
        return Counter(token for token in tokens if token not in self.stop)

    def _weigh(
        self, texts: Sequence[Sequence[int]], advance: Callable[[int], None] | None
    ) -> list[Mapping[int, float]]:
        """Return for each text a mapping: token id -> the token's greatest weight at any position.

        texts: token ids of passages, without special tokens.
        """
        weigher = self._load_models()
        before, after = self._around
        whole = [[*before, *text, *after] for text in texts]
        if self.config.expansion:
            whole = self._expand(whole)
        found: list[Mapping[int, float]] = [{}] * len(texts)
        for rows, weights in weigher.weigh(whole):
            for row, own in zip(rows.tolist(), weights, strict=True):
                found[row] = self._greatest(whole[row], own)
            if advance is not None:
                advance(len(rows))
        return found

    def _greatest(self, tokens: Sequence[int], weights: NDArray[np.float32]) -> Mapping[int, float]:
        greatest: dict[int, float] = {}
        for token, weight in zip(tokens, weights.tolist(), strict=False):
            if weight > 0 and token not in self.stop and weight > greatest.get(token, 0.0):
                greatest[token] = weight
        return greatest

    def _expand(self, texts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Append the tokens that a language-model head predicts for each text, and an end token.

        The likeliest tokens come first. A text does not grow beyond what the model can read.

        texts: token ids of passages, with special tokens at both ends.
        """
        after = self._around[1]
        expander = self._expander
        assert expander is not None, "_load_models loads it with the weigher"
        likely = expander.likely(texts, self.config.expansion, self._reading)
        stop = self.stop | self._question_words
        expanded = []
        for text, found in zip(texts, likely, strict=True):
            room = max(0, self._limit - len(text) - len(after))
            present = set(text)
            new = [token for token in found.tolist() if token not in present | stop]
            expanded.append([*text, *new[:room], *after] if new[:room] else list(text))
        return expanded

    @property
    def _question_words(self) -> frozenset[int]:
        return frozenset(own[0] for own in self._tokenizer.tokenize(sorted(KEPT)) if len(own) == 1)

    @property
    def _reading(self) -> Literal["first", "max"]:
        """The configured `expansion_reading`, where "auto" is replaced by "first" or "max"."""
        configured = self.config.expansion_reading
        if configured != "auto":
            return configured
        return "max" if self.config.expansion_model is None else "first"

    def _load_models(self) -> TrainedWeights | HeadWeights:
        """Load the models at the first call. Return the model that computes weights."""
        with self._loading:
            if self._weigher is None:
                weigher = load_weigher(self.config, self._projection)
                if self.config.expansion:
                    if self.config.expansion_model is not None:
                        self._expander = load_expander(self.config)
                    elif isinstance(weigher, HeadWeights):
                        self._expander = weigher
                self._weigher = weigher
            return self._weigher


def stop_tokens(tokenizer: Tokenizer, names: Sequence[str], language: str) -> frozenset[int]:
    """Return the ids of the tokens that get no weight.

    - special tokens and "##s"
    - stopwords that are a single token, except question words
    - tokens without any letter or digit
    - tokens with a character other than letters, digits, "-" and "_"

    Raises ConfigError for a language without a stopword list.
    """
    words = sorted(stoplist(language) - KEPT)
    single = {own[0] for own in tokenizer.tokenize(words) if len(own) == 1}
    other = {token for token, name in enumerate(names) if name == "##s" or not _is_word(name)}
    return frozenset(tokenizer.special_tokens | single | other)


def _is_word(name: str) -> bool:
    bare = name.removeprefix("##").lstrip(
        "\u0120\u2581"
    )  # Markers of the beginning of a word in BPE.
    return any(map(str.isalnum, bare)) and all(c.isalnum() or c in "-_" for c in bare)


def _tokenizer(name: str, folder: Path) -> tuple[Tokenizer, list[str]]:
    """Return the tokenizer in a model's folder, and the strings of all its tokens."""
    with loading(name, folder), quiet():
        found = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    tokenizer = Tokenizer(found)
    return tokenizer, [tokenizer.piece(token) for token in range(len(found))]


def _positions(name: str, folder: Path) -> int:
    """Return the maximum number of tokens that the model's position embeddings support."""
    with loading(name, folder):
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        return int(config.max_position_embeddings)
