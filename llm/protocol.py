"""What a language model is: prompts in; states, likelihoods or text out.

A back end offers some of three capabilities, each a protocol of its own:

- "states":     `StateModel`, the hidden state and the logits at the last token of a prompt;
- "likelihood": `LikelihoodModel`, how likely given continuations of a prompt are;
- "generate":   `GenerativeModel`, text that continues a prompt.

What a model cannot do is an UnsupportedError that says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError, UnsupportedError, Usage

Capability = Literal["states", "likelihood", "generate"]
Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = str | Sequence[Message]
"""What a model continues: a text as it is, or a conversation put through the model's chat template.

A conversation whose last message is the assistant's is continued inside that message.
"""


def check_prompts(prompts: Sequence[Prompt]) -> None:
    """A single text in place of several prompts would be read letter by letter: refuse it."""
    if isinstance(prompts, str) or any(isinstance(prompt, Message) for prompt in prompts):
        raise InvalidInputError("give a list of prompts", field="prompts")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How text is generated.

    max_tokens:  at most this many; >= 1.
    stop:        strings that end the text, which does not include them.
    temperature: 0 = the most likely token each time.
    top_p:       sample among the likeliest tokens that together have this probability.
    seed:        of the sampling, >= 0; the same seed gives the same text on the same machine.
    """

    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_tokens", "seed"):
            if type(getattr(self, name)) is not int:
                raise InvalidInputError("must be a whole number", field=name)
        if self.max_tokens < 1:
            raise InvalidInputError("must be at least 1", field="max_tokens")
        texts = type(self.stop) is tuple and all(isinstance(text, str) for text in self.stop)
        if not texts or not all(self.stop):
            raise InvalidInputError("must be a tuple of strings that are not empty", field="stop")
        if not 0 <= self.temperature < math.inf:
            raise InvalidInputError("must be a number >= 0", field="temperature")
        if not 0 < self.top_p <= 1:
            raise InvalidInputError("must be in (0, 1]", field="top_p")
        if not 0 <= self.seed < 2**63:
            raise InvalidInputError("must be in [0, 2**63)", field="seed")


Finish = Literal["stop", "length"]
"""Why a text ended: the model ended it or a stop string came, or `max_tokens` was reached."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A generated text."""

    text: str
    finish: Finish
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text being generated; the last one has `finish` and `usage`."""

    text: str
    finish: Finish | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Log-likelihoods of c continuations of n prompts, natural logarithm.

    total:  float64 [n, c], summed over the tokens of the continuation.
    tokens: int64 [n, c], how many these are.
    """

    total: NDArray[np.float64]
    tokens: NDArray[np.int64]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class States:
    """What a model held where it was about to write, for n prompts and up to s greedy steps.

    hidden: float32 [n, s, d], the state of a layer. Step 0 is the last
            token of the prompt, step i the token chosen at step i - 1.
    logits: float32 [n, s, vocabulary], of the token that follows.
    tokens: int64 [n, s], the token chosen: the one of the largest logit.
    steps:  int64 [n], steps that count for each prompt, 1 to s; what follows them is zero. The last
            one chose a stop token, or is step s - 1.
    """

    hidden: NDArray[np.float32]
    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    steps: NDArray[np.int64]
    usage: Usage = field(default_factory=Usage)


class LanguageModel(Protocol):
    """What all back ends have. Thread-safe."""

    @property
    def name(self) -> str:
        """As it was asked for."""

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Identity, a JSON object: equal fingerprints give equal results up to rounding."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without special tokens."""


def unsupported(model: LanguageModel, capability: Capability) -> UnsupportedError:
    """The refusal of what a model cannot do."""
    offered = ", ".join(sorted(model.capabilities))
    return UnsupportedError(f"model {model.name!r} has no {capability}; it offers: {offered}")


class StateModel(LanguageModel, Protocol):
    """A model whose inside can be read. Works with tokens, so that callers decide what is cut."""

    vocabulary: int
    """Number of logits."""
    dimensions: int
    """Of a hidden state."""
    batch_tokens: int
    """Padded tokens (longest text x texts) that a batch for `read` should have at most."""
    limit: int | None
    """Most tokens that `read` takes: of prefix, text, suffix and further steps together. None where
    the model does not say."""
    begin: Tokens
    """What the tokenizer puts before a text by itself, for prompts that are not a conversation:
    chat templates write it where it belongs. `read` does not add it."""
    ends: frozenset[int]
    """Tokens that end the model's turn."""
    mask: str | None
    """The token to be filled in, for masked models: prompts need exactly one. Else None."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, without special tokens of the tokenizer's own; markup of special
        tokens that is written in the text is recognised only by `tokenize_markup`."""

    def tokenize_markup(self, text: str) -> list[int]:
        """Tokens of a part of a prompt, in which the names of special tokens stand for them."""

    def piece(self, token: int) -> str:
        """The vocabulary's own name of a token."""

    def decode(self, tokens: Tokens) -> str:
        """The text of tokens."""

    def render(self, messages: Sequence[Message]) -> str:
        """A conversation in the model's chat template. Raises ConfigError if it has none."""

    def read(
        self,
        texts: Sequence[Tokens],
        *,
        prefix: Tokens = (),
        suffix: Tokens = (),
        steps: int = 1,
        stop: AbstractSet[int] = frozenset(),
        layer: int = -1,
    ) -> States:
        """Read `prefix + text + suffix` for each text, as one batch.

        The keys and values of the prefix are computed once and kept for the next calls. With
        `steps` > 1 the model goes on greedily until it chooses a token in `stop` or one that ends
        its turn. A masked model reads at its mask and has one step only.

        layer: whose states are given. -1 is the last, after the final norm; -2 what the last block
        reads, and so on (transformers' `hidden_states[layer]`). A model that does not have it or
        does not show it raises ConfigError.
        """


class LikelihoodModel(LanguageModel, Protocol):
    """A model that says how likely a continuation is."""

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> Likelihoods:
        """Of every continuation after every prompt; what prompts share is computed once."""


class GenerativeModel(LanguageModel, Protocol):
    """A model that writes."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None
    ) -> list[Completion]:
        """One text for each prompt."""

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> Iterator[Chunk]:
        """A text, piece by piece; the pieces together are what `generate` gives."""
