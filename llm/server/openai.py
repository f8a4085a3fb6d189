"""Models on an OpenAI-compatible HTTP server: vLLM, llama.cpp, Ollama and others.

Servers support different features. If a server lacks a feature, UnsupportedError names the feature:

- Generation uses `/chat/completions` and `/completions`. All servers support it.
- A conversation that ends with the assistant's message is continued inside that message. vLLM does
  this if the request sets `continue_final_message`; llama.cpp and Ollama always do it. Other
  servers begin a new message; the client cannot detect this.
- Counting tokens requires the path `/tokenize`, which vLLM and llama.cpp have. The client replaces
  `/v1` at the end of the address with `/tokenize`.
- Likelihoods require `/tokenize` and log probabilities of the prompt's tokens (`echo`). vLLM
  supports both.

The server decides whether the name of a special token in a text or a message becomes that token.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import perf_counter
from typing import Any, NoReturn, TypeVar

import numpy as np

from ...core import ConfigError, InvalidInputError, ModelError, UnsupportedError, Usage
from ...core.errors import shown
from ...core.trace.spans import in_context
from ..boundary import check, divide, following
from ..protocol import (
    Capability,
    Chunk,
    Completion,
    Finish,
    Likelihoods,
    Message,
    Prompt,
    Sampling,
    Tokens,
    check_prompts,
    unsupported,
)
from . import replies
from .http_client import HttpError, JsonClient, checked_url

logger = logging.getLogger(__name__)

LONGEST_TOKEN = 32
"""Maximum number of characters of a text for each token of `max_tokens`. More are cut: the server
ignores `max_tokens`."""

CONCURRENCY = 8
"""Maximum number of concurrent requests of one method call."""

_ABSENT = frozenset({404, 405, 501})
"""HTTP status codes of a server that does not support a path or a method."""

T = TypeVar("T")
R = TypeVar("R")


class OpenAIModel:
    """A model on an OpenAI-compatible HTTP server. Thread-safe.

    base_url: address of the server with the version of its API, such as "http://localhost:8000/v1".
              It must not contain credentials. No other address is contacted.
    model:    name of the model on the server.
    api_key:  API key, sent as a bearer token. None: no key is sent.
    timeout_seconds: time limit of one request. In a stream, the time limit for each next piece.
    retries:  maximum number of retries if the server is busy (HTTP 429, 5xx) or the connection
              fails.

    A failed request or an invalid reply raises ModelError, which names the address. A feature that
    the server lacks raises UnsupportedError. Token counts in a `usage` come from the server; they
    are 0 if the server returns none.
    """

    capabilities: frozenset[Capability] = frozenset({"generate", "likelihood"})
    """Capabilities that a server may have. If a server does not compute likelihoods, `likelihood`
    raises UnsupportedError."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout_seconds: float = 60.0,
        retries: int = 2,
    ) -> None:
        if not model:
            raise ConfigError("must name a model on the server, got ''", field="model")
        if not 0 < timeout_seconds < math.inf:
            raise ConfigError(
                f"must be greater than 0 and finite, got {timeout_seconds}", field="timeout_seconds"
            )
        if retries < 0:
            raise ConfigError(f"must be at least 0, got {retries}", field="retries")
        self.name = model
        self._url = checked_url(base_url)
        if self._url.count("/") < 3:
            raise ConfigError(f"must end with a path, often {self._url}/v1", field="base_url")
        self._client = JsonClient(api_key=api_key, seconds=timeout_seconds, retries=retries)

    def __repr__(self) -> str:
        return f"OpenAIModel({self._url!r}, {self.name!r})"

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {"server": self._url.partition("://")[2], "model": self.name}

    def read(self, texts: Sequence[Tokens], **options: Any) -> NoReturn:
        """Raise UnsupportedError, because servers do not return hidden states."""
        raise unsupported(self, "states")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text.

        Raises UnsupportedError if the server does not have the path `/tokenize`.
        """
        return _concurrently(lambda text: len(self._tokenize(_plain(text, special=False))), texts)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None
    ) -> list[Completion]:
        """Return one generated text for each prompt. Prompts are sent concurrently."""
        check_prompts(prompts)
        settings = sampling or Sampling()
        return _concurrently(lambda prompt: self._complete(prompt, settings), prompts)

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> Iterator[Chunk]:
        begun = perf_counter()
        sampling = sampling or Sampling()
        url, body = self._request(prompt, sampling)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        finish: Finish | None = None
        usage = Usage()
        left = LONGEST_TOKEN * sampling.max_tokens
        with closing(self._client.stream(url, body)) as events:
            for event in events:
                if event.get("usage") is not None:
                    usage = replies.usage(url, event)
                text = ""
                if event.get("choices"):
                    choice = replies.pick(url, event, "choices", 0, kind=dict)
                    text = _text(url, choice, prompt, message="delta")
                    if choice.get("finish_reason") is not None:
                        finish = replies.finish(url, choice)
                if text:
                    yield Chunk(text[:left])
                left -= max(1, len(text))
                if left < 0:
                    finish = self._cut(sampling)
                    break
        if finish is None:
            raise ModelError(f"{url}: the stream ended before the text was complete; try again")
        yield Chunk("", finish, usage + Usage(calls=1, seconds=perf_counter() - begun))

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> Likelihoods:
        """Return the log-likelihood of every continuation after every prompt.

        The server tokenises prompt and continuation together. The module `boundary` finds the
        tokens of the continuation. All tokens are then sent to the server, which returns their log
        probabilities.

        Raises UnsupportedError if the server does not have the path `/tokenize`, or if it returns
        no log probabilities of prompt tokens (`echo` with `logprobs`).
        """
        check_prompts(prompts)
        check(continuations)
        shape = (len(prompts), len(continuations))
        numbers = range(len(prompts)) if continuations else range(0)
        rows = _concurrently(lambda row: self._row(prompts[row], row, continuations), numbers)
        return Likelihoods(
            np.array([row.total for row in rows], np.float64).reshape(shape),
            np.array([row.tokens for row in rows], np.int64).reshape(shape),
            sum((row.usage for row in rows), Usage()),
        )

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        begun = perf_counter()
        url, body = self._request(prompt, sampling)
        reply = self._client.post(url, body)
        choice = replies.pick(url, reply, "choices", 0, kind=dict)
        text, finish = _text(url, choice, prompt, message="message"), replies.finish(url, choice)
        most = LONGEST_TOKEN * sampling.max_tokens
        if len(text) > most:
            text, finish = text[:most], self._cut(sampling)
        usage = replies.usage(url, reply) + Usage(calls=1, seconds=perf_counter() - begun)
        return Completion(text, finish, usage)

    def _cut(self, sampling: Sampling) -> Finish:
        """Log that the server ignores `max_tokens`. Return why the text ended."""
        logger.warning(
            "%s ignores max_tokens (%d); its text was cut", self._url, sampling.max_tokens
        )
        return "length"

    def _request(self, prompt: Prompt, sampling: Sampling) -> tuple[str, dict[str, Any]]:
        """Return the URL and the body of a request that generates text."""
        body: dict[str, Any] = {
            "model": self.name,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if isinstance(prompt, str):
            return f"{self._url}/completions", {**body, "prompt": prompt}
        return f"{self._url}/chat/completions", {**body, **_conversation(prompt)}

    def _row(self, prompt: Prompt, row: int, continuations: Sequence[str]) -> Likelihoods:
        """Return the likelihoods [c] of the c continuations of one prompt.

        row: position of the prompt in the list, for errors.
        """
        begun = perf_counter()
        head = self._tokenize(_joined(prompt))
        if not head and not isinstance(prompt, str):
            raise self._no_likelihood("its path /tokenize does not support conversations")
        if not head:
            raise InvalidInputError("has no tokens; it must not be empty", field=f"prompts[{row}]")
        tails = [self._tail(prompt, head, continuation) for continuation in continuations]
        if not all(tails):
            raise ModelError(
                f"{self._url}: the server returned no tokens for a continuation; use another text"
            )
        rows = [[*head, *tail] for tail in tails]
        url = f"{self._url}/completions"
        body = {"model": self.name, "prompt": rows, "echo": True, "logprobs": 1}
        try:
            # Some servers must generate at least one token. It is ignored.
            reply = self._client.post(url, {**body, "max_tokens": 1, "temperature": 0})
        except HttpError as error:
            message = str(error).removeprefix(url)
            if error.status in _ABSENT or "echo" in message or "logprob" in message:
                raise self._no_likelihood(str(error)) from None
            raise
        total = [
            self._sum(url, reply, number, len(head), len(head) + len(tail))
            for number, tail in enumerate(tails)
        ]
        usage = replies.usage(url, reply)
        usage += Usage(calls=len(rows), seconds=perf_counter() - begun)
        return Likelihoods(np.array(total), np.array(list(map(len, tails))), usage)

    def _sum(self, url: str, reply: Any, number: int, begin: int, end: int) -> float:
        """Return the sum of the log probabilities of the tokens `begin` to `end` (exclusive).

        number: position of the choice with these tokens in the list `choices` of the reply.
        """
        choice = replies.pick(url, reply, "choices", number, kind=dict)
        if choice.get("index") != number:
            raise ModelError(
                f"{url}: choices[{number}].index of the reply must be {number}, "
                f"got {choice.get('index')!r:.40}"
            )
        if choice.get("logprobs") is None:
            raise self._no_likelihood(f"{url} returned no logprobs")
        values = replies.pick(url, choice, "logprobs", "token_logprobs", kind=list)
        if len(values) not in (end, end + 1):
            raise self._no_likelihood(
                f"{url} returned {len(values)} log probabilities for {end} tokens"
            )
        wanted = values[begin:end]
        if not all(isinstance(value, int | float) and value <= 0 for value in wanted):
            raise ModelError(
                f"{url}: `token_logprobs` of the reply must be numbers of at most 0, got "
                f"{shown(wanted)}; use a server that returns log probabilities, such as vLLM"
            )
        return float(sum(wanted))

    def _tail(self, prompt: Prompt, head: Sequence[int], continuation: str) -> list[int]:
        joint = self._tokenize(_joined(prompt, continuation))
        if (tokens := following(head, joint)) is not None:
            return tokens
        alone = divide(_unfinished(prompt), continuation)[1]
        return self._tokenize(_plain(alone, special=False))

    def _tokenize(self, body: Mapping[str, Any]) -> list[int]:
        url = f"{self._url.removesuffix('/v1')}/tokenize"
        try:
            reply = self._client.post(url, {"model": self.name, **body})
        except HttpError as error:
            if error.status in _ABSENT:
                raise UnsupportedError(
                    f"the server does not return tokens of a text ({error}); use vLLM or llama.cpp"
                ) from None
            raise
        tokens = replies.pick(url, reply, "tokens", kind=list)
        if not all(type(token) is int for token in tokens):
            raise ModelError(
                f"{url}: tokens of the reply must be integers, got {shown(tokens)}; use a server "
                "whose /tokenize returns token ids, such as vLLM or llama.cpp"
            )
        return tokens

    def _no_likelihood(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"the server at {self._url} does not return the likelihood of a continuation "
            f"({what}); use vLLM or a local model"
        )


def _concurrently(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call `work` for each item in several threads, and return the results in order.

    The first exception cancels the remaining items and is raised.
    """
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(CONCURRENCY, len(items))) as pool:
        futures = [pool.submit(in_context(work), item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _text(url: str, choice: Mapping[str, Any], prompt: Prompt, *, message: str) -> str:
    """Return the generated text of a choice in a reply.

    Returns "" if the reply to a conversation has no text, because some models return only their
    reasoning.

    url:     address of the server, for errors.
    message: name of the object in `choice` that contains the text, if the prompt is a conversation.
    """
    if isinstance(prompt, str):
        return replies.text(url, choice, "text")
    content = replies.pick(url, choice, message, kind=dict).get("content")
    return "" if content is None else replies.text(url, choice, message, "content")


def _conversation(messages: Sequence[Message]) -> dict[str, Any]:
    if not messages:
        raise InvalidInputError("must contain at least one message", field="messages")
    turns = [{"role": message.role, "content": message.content} for message in messages]
    if messages[-1].role != "assistant":
        return {"messages": turns}
    return {"messages": turns, "add_generation_prompt": False, "continue_final_message": True}


def _plain(text: str, *, special: bool) -> dict[str, Any]:
    """Return the body of a `/tokenize` request for a text.

    The body has the fields of vLLM and those of llama.cpp. Each server ignores the fields of the
    other.

    special: True adds the special tokens that the tokenizer puts around a text.
    """
    return {"prompt": text, "add_special_tokens": special, "content": text, "add_special": special}


def _unfinished(prompt: Prompt) -> str:
    """Return the text that the model's output continues directly.

    For a text, this is the whole prompt. For a conversation, this is the last message if the
    assistant wrote it, else "".
    """
    if isinstance(prompt, str):
        return prompt
    return prompt[-1].content if prompt and prompt[-1].role == "assistant" else ""


def _joined(prompt: Prompt, continuation: str = "") -> dict[str, Any]:
    """Return the body of a `/tokenize` request for a prompt and its continuation.

    Without a continuation, spaces at the end of the prompt are removed.
    """
    text = _unfinished(prompt)
    text = text + continuation if continuation else divide(text, "")[0]
    if isinstance(prompt, str):
        return _plain(text, special=True)
    begun = bool(prompt) and prompt[-1].role == "assistant"
    turns = list(prompt[:-1] if begun else prompt)
    if text:
        turns.append(Message("assistant", text))
    return {**_conversation(turns), "add_special_tokens": False}
