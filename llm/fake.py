"""A deterministic language model without weights, for tests and first experiments.

It returns states, computes likelihoods and generates text. A token is a word or a punctuation
character. The states depend only on the words of a text, so texts that share words have similar
states.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ConfigError, InvalidInputError, Usage
from .boundary import check
from .protocol import (
    Capability,
    Chunk,
    Completion,
    Likelihoods,
    Message,
    Prompt,
    Sampling,
    States,
    Tokens,
    check_prompts,
)
from .writing import stopped

NAME = "fake"
DIMENSIONS = 64
VOCABULARY = 2**15
SIGNS = 128
"""Tokens below this number are the code points of ASCII punctuation; the others are word hashes."""

QUOTE = ord('"')
END = 0
"""The token that ends the model's turn."""

_LIKELY, _UNLIKELY = math.log(0.5), math.log(0.01)
_ECHO = 8
_PRINTED = range(ord("!"), SIGNS - 1)
_TOKEN = re.compile(r"\w+|[^\w\s]")


class FakeModel:
    """A fake language model whose results depend only on the words of the prompt.

    answer:     function from a prompt to the generated text. It receives a conversation as the text
                that `render` returns. Default: repeat the first 8 words of the user's last message.
                With a temperature above 0, the seed selects the word to start from.
    likelihood: function from a prompt and a continuation to the log-likelihood of the continuation.
                Default: a token has probability 0.5 if it occurs in the prompt, else 0.01.
    """

    def __init__(
        self,
        answer: Callable[[str], str] | None = None,
        likelihood: Callable[[str, str], float] | None = None,
    ) -> None:
        self._answer = answer
        self._likelihood = likelihood

    name = NAME
    capabilities: frozenset[Capability] = frozenset({"states", "likelihood", "generate"})
    vocabulary = VOCABULARY
    dimensions = DIMENSIONS
    batch_tokens = 4_096
    limit: int | None = None
    begin: Tokens = ()
    ends = frozenset({END})
    mask: str | None = None

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {"model": NAME}

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(tokens) for tokens in self.tokenize(texts)]

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[_token(word) for word in _TOKEN.findall(text.lower())] for text in texts]

    def tokenize_markup(self, text: str) -> list[int]:
        """Return the tokens of a text, as `tokenize` does. This model has no special tokens."""
        return self.tokenize([text])[0]

    def piece(self, token: int) -> str:
        """Return the character of a punctuation token; "#" and the number of any other token."""
        if not 0 <= token < VOCABULARY:
            raise InvalidInputError(
                f"must be between 0 and {VOCABULARY - 1}, got {token}", field="token"
            )
        return chr(token) if token in _PRINTED else f"#{token}"

    def decode(self, tokens: Tokens) -> str:
        """Return the tokens as one text. `piece` writes each token. Words have a space before."""
        return "".join(" " * (token >= SIGNS) + self.piece(token) for token in tokens)

    def render(self, messages: Sequence[Message]) -> str:
        """Return a conversation as text, with a line `[role] content` for each message.

        If the last message is the assistant's, the text ends with this message. Otherwise a line
        `[assistant] ` is added. The model continues the text at its end.
        """
        if not messages:
            raise InvalidInputError("must contain at least one message", field="messages")
        text = "\n".join(f"[{message.role}] {message.content}" for message in messages)
        return text if messages[-1].role == "assistant" else f"{text}\n[assistant] "

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
        """Return states that depend only on the words of the texts, not on prefix or suffix.

        hidden: sum of the vectors of all words. A word's vector has 64 values of +1 or -1. Each
                step chooses a word and adds its vector.
        logits: frequency of each word in the text. Of equally frequent words, the earlier has the
                larger logit. Words outside the text, and words that an earlier step chose, have
                negative logits. After all words, the model chooses the quotation mark, then the end
                of its turn.
        """
        if layer != -1:
            raise ConfigError(
                f"model {self.name!r} supports only its last layer (-1), got {layer}",
                field="layer",
            )
        if steps < 1:
            raise InvalidInputError(f"must be at least 1, got {steps}", field="steps")
        hidden = np.zeros((len(texts), steps, DIMENSIONS), np.float32)
        logits = np.zeros((len(texts), steps, VOCABULARY), np.float32)
        tokens = np.zeros((len(texts), steps), np.int64)
        counts = np.zeros(len(texts), np.int64)
        for row, text in enumerate(texts):
            state, scores = _first_state(text)
            for step in range(steps):
                chosen = int(scores.argmax())
                hidden[row, step], logits[row, step], tokens[row, step] = state, scores, chosen
                counts[row] = step + 1
                if chosen in stop or chosen in self.ends:
                    break
                state = state + _vector(chosen)
                scores[chosen] = -1
        usage = Usage(
            calls=len(texts),
            prompt_tokens=sum(len(prefix) + len(text) + len(suffix) for text in texts),
            completion_tokens=int(counts.sum()) - len(texts),
        )
        return States(hidden, logits, tokens, counts, usage)

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> Likelihoods:
        check_prompts(prompts)
        check(continuations)
        texts = [self._text(prompt) for prompt in prompts]
        judge = self._likelihood or self._overlap
        total = np.array(
            [[judge(text, continuation) for continuation in continuations] for text in texts],
            np.float64,
        ).reshape(len(texts), len(continuations))
        lengths = np.array(self.count_tokens(continuations), np.int64)
        usage = Usage(calls=len(texts), prompt_tokens=sum(self.count_tokens(texts)))
        return Likelihoods(total, np.tile(lengths, (len(texts), 1)), usage)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None
    ) -> list[Completion]:
        check_prompts(prompts)
        return [self._complete(prompt, sampling or Sampling()) for prompt in prompts]

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> Iterator[Chunk]:
        whole = self._complete(prompt, sampling or Sampling())
        for piece in re.findall(r"\s*(?:\w+|[^\w\s])|\s+$", whole.text):
            yield Chunk(piece)
        yield Chunk("", whole.finish, whole.usage)

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        text = self._text(prompt)
        if self._answer is not None:
            answer = self._answer(text)
        else:
            answer = _echo(prompt, start=sampling.seed if sampling.temperature else 0)
        ends = [match.end() for match in _TOKEN.finditer(answer)]
        cut = len(ends) > sampling.max_tokens
        if cut:
            answer = answer[: ends[sampling.max_tokens - 1]]
        stop = stopped(answer, sampling.stop)
        answer = answer[:stop]
        read, written = self.count_tokens([text, answer])
        usage = Usage(calls=1, prompt_tokens=read, completion_tokens=written)
        return Completion(answer, "length" if cut and stop is None else "stop", usage)

    def _text(self, prompt: Prompt) -> str:
        return prompt if isinstance(prompt, str) else self.render(prompt)

    def _overlap(self, prompt: str, continuation: str) -> float:
        known, wanted = self.tokenize([prompt, continuation])
        return sum(_LIKELY if token in set(known) else _UNLIKELY for token in wanted)


def _first_state(text: Tokens) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the hidden state and the logits after a text. The hidden state is never zero."""
    words = Counter(token for token in text if token >= SIGNS)
    state = _vector(QUOTE) * np.float32(1 / DIMENSIONS)
    scores = np.full(VOCABULARY, -1, np.float32)
    scores[QUOTE], scores[END] = -0.25, -0.5
    for position, (word, count) in enumerate(words.items()):
        state += np.float32(count) * _vector(word)
        scores[word] = count + 1 / (2 + position)
    return state, scores


def _echo(prompt: Prompt, start: int) -> str:
    if not isinstance(prompt, str):
        said = [message.content for message in prompt if message.role == "user"]
        prompt = said[-1] if said else prompt[-1].content
    words = prompt.split()
    start = start % len(words) if words else 0
    return " ".join(words[start : start + _ECHO])


def _token(word: str) -> int:
    if len(word) == 1 and ord(word) in _PRINTED and not word.isalnum():
        return ord(word)
    digest = blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest()
    return SIGNS + int.from_bytes(digest, "little") % (VOCABULARY - SIGNS)


@lru_cache(maxsize=VOCABULARY)
def _vector(token: int) -> NDArray[np.float32]:
    digest = blake2b(token.to_bytes(2, "little"), digest_size=8).digest()
    signs = np.unpackbits(np.frombuffer(digest, np.uint8)).astype(np.float32) * 2 - 1
    signs.flags.writeable = False
    return signs
