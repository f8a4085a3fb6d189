"""Protocols of language models, which read prompts and return states, likelihoods or text.

A model has one or more of three capabilities. Each capability has a protocol:

- "states":     `StateModel` returns the hidden state and the logits at the last token of a prompt.
- "likelihood": `LikelihoodModel` returns the likelihoods of given continuations of a prompt.
- "generate":   `GenerativeModel` returns text that continues a prompt.

A method of a capability that the model lacks raises UnsupportedError, which names the capability.
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
from ..core.errors import shown

Capability = Literal["states", "likelihood", "generate"]
Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = str | Sequence[Message]
"""A prompt: a text, or a conversation for the model's chat template.

If the last message of a conversation is the assistant's, the model continues that message.
"""


def check_prompts(prompts: Sequence[Prompt]) -> None:
    """Raise InvalidInputError for a single prompt instead of a list of prompts."""
    if isinstance(prompts, str) or any(isinstance(prompt, Message) for prompt in prompts):
        raise InvalidInputError(
            "must be a list of prompts, got a single prompt; write [prompt]", field="prompts"
        )


@dataclass(frozen=True, slots=True)
class Sampling:
    """Options of text generation.

    max_tokens:  maximum number of generated tokens, >= 1.
    stop:        strings that end the text. The text does not include them.
    temperature: randomness of the choice of a token, >= 0. 0: always the most likely token.
    top_p:       total probability of the tokens to choose from, in (0, 1]. The most likely tokens
                 are kept until their probabilities add up to `top_p`. 1: all tokens.
    seed:        seed of the sampling, >= 0. Equal seeds give equal texts on one machine.
    """

    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_tokens", "seed"):
            if type(value := getattr(self, name)) is not int:
                raise InvalidInputError(f"must be an integer, got {shown(value)}", field=name)
        if self.max_tokens < 1:
            raise InvalidInputError(
                f"must be at least 1, got {self.max_tokens}", field="max_tokens"
            )
        texts = type(self.stop) is tuple and all(isinstance(text, str) for text in self.stop)
        if not texts or not all(self.stop):
            raise InvalidInputError("must be a tuple of non-empty strings", field="stop")
        if not 0 <= self.temperature < math.inf:
            raise InvalidInputError(
                f"must be a finite number >= 0, got {shown(self.temperature)}", field="temperature"
            )
        if not 0 < self.top_p <= 1:
            raise InvalidInputError(
                f"must be greater than 0 and at most 1, got {shown(self.top_p)}", field="top_p"
            )
        if not 0 <= self.seed < 2**63:
            raise InvalidInputError(
                f"must be between 0 and 2**63 - 1, got {shown(self.seed)}", field="seed"
            )


Finish = Literal["stop", "length"]
"""Reason why a text ended. "stop": the model ended it, or a stop string occurred. "length": it
reached `max_tokens`."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A generated text."""

    text: str
    finish: Finish
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a generated text. `finish` and `usage` are None except in the last piece."""

    text: str
    finish: Finish | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Log-likelihoods of c continuations after n prompts, as natural logarithms.

    total:  float64 [n, c], log-likelihood of the continuation: the sum over its tokens.
    tokens: int64 [n, c], number of tokens of the continuation.
    """

    total: NDArray[np.float64]
    tokens: NDArray[np.int64]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class States:
    """Hidden states and logits for n prompts and up to s greedy steps.

    In each step, a model chooses the token with the largest logit and appends it to the prompt.

    hidden: float32 [n, s, d], hidden state of a layer. At step 0, the state at the last token of
            the prompt. At step i, the state at the token that was chosen at step i - 1.
    logits: float32 [n, s, vocabulary], logits of the next token.
    tokens: int64 [n, s], token that was chosen at the step.
    steps:  int64 [n], number of valid steps for each prompt, 1 to s. Values of later steps are
            zero. The last valid step chose a stop token, or is step s - 1.
    """

    hidden: NDArray[np.float32]
    logits: NDArray[np.float32]
    tokens: NDArray[np.int64]
    steps: NDArray[np.int64]
    usage: Usage = field(default_factory=Usage)


class LanguageModel(Protocol):
    """The interface of every language model, whatever its capabilities. Thread-safe."""

    @property
    def name(self) -> str:
        """The name or path of the model, as the caller gave it."""

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Identity of the model as a JSON object. Models with equal fingerprints return equal
        results, up to rounding."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, without special tokens."""


def unsupported(model: LanguageModel, capability: Capability) -> UnsupportedError:
    """Return the error for a capability that a model lacks.

    The error lists the capabilities that the model has.
    """
    supported = ", ".join(sorted(model.capabilities))
    return UnsupportedError(
        f"model {model.name!r} does not support {capability}; it supports: {supported}"
    )


class StateModel(LanguageModel, Protocol):
    """A model that returns hidden states and logits.

    Its methods accept tokens instead of texts, so that callers decide where a text is cut.
    """

    vocabulary: int
    """Number of logits: one for each token of the vocabulary."""
    dimensions: int
    """Number of dimensions of a hidden state."""
    batch_tokens: int
    """Maximum number of padded tokens (longest text x number of texts) for a batch of `read`."""
    limit: int | None
    """Maximum number of tokens of prefix, text, suffix and further steps together. None: the
    model's configuration has no limit."""
    begin: Tokens
    """Special tokens that the tokenizer puts before a text. `read` does not add them: put them
    before prompts that are not conversations. Chat templates contain them already."""
    ends: frozenset[int]
    """Tokens that end the model's turn."""
    mask: str | None
    """Name of the mask token of a masked model, whose prompts must contain it exactly once. None
    for other models."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, without special tokens.

        The name of a special token, such as `<|im_end|>`, is tokenised as ordinary characters.
        """

    def tokenize_markup(self, text: str) -> list[int]:
        """Return the tokens of a trusted text, such as the output of a chat template.

        The name of a special token, such as `<|im_end|>`, becomes that special token.
        """

    def piece(self, token: int) -> str:
        """Return the name of a token in the vocabulary."""

    def decode(self, tokens: Tokens) -> str:
        """Return the text of the tokens."""

    def render(self, messages: Sequence[Message]) -> str:
        """Return a conversation as text, written by the model's chat template.

        Raises ConfigError if the model has no chat template.
        """

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
        """Read `prefix + text + suffix` for each text, as one batch, and return the model's States.

        The keys and values of the prefix are computed once and cached for later calls. With `steps`
        > 1, the model continues each text greedily, until it chooses a token in `stop` or a token
        that ends its turn. A masked model returns the state at its mask token and supports only one
        step.

        layer: number of the layer whose states are returned, as in the `hidden_states` of
        transformers. -1 is the last layer, after the final norm; -2 is the input of the last block,
        and so on.

        Raises ConfigError for a layer that the model does not support.
        """


class LikelihoodModel(LanguageModel, Protocol):
    """A model that computes the likelihoods of given continuations."""

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> Likelihoods:
        """Return the log-likelihood of every continuation after every prompt.

        If all prompts share a prefix, the model reads it only once.
        """


class GenerativeModel(LanguageModel, Protocol):
    """A model that generates text."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None
    ) -> list[Completion]:
        """Return one generated text for each prompt.

        sampling: options of the generation. None: the defaults of `Sampling`.
        """

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> Iterator[Chunk]:
        """Yield the text that `generate` would return, in pieces, while it is generated.

        sampling: options of the generation. None: the defaults of `Sampling`.
        """
