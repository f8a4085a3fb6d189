"""Models behind an OpenAI-compatible HTTP server: vLLM, llama.cpp, Ollama and others.

What the servers have in common is used as it is; what only some of them have is refused in words
where it is missing:

- generation: `/chat/completions` and `/completions`, all servers.
- A conversation that ends with the assistant's message is continued inside it. vLLM has to be told
  (`continue_final_message`), llama.cpp and Ollama do it of themselves. A server that does neither
  begins a new message; that cannot be seen from here.
- counting tokens: `/tokenize` beside "/v1"; vLLM and llama.cpp.
- likelihoods: besides this, log probabilities of the prompt's tokens (`echo`); vLLM.

What names of special tokens mean in a text or a message is up to the server.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, NoReturn, TypeVar

import numpy as np

from ...core import ConfigError, InvalidInputError, ModelError, UnsupportedError, Usage
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

CONCURRENCY = 8
"""Requests under way at a time, for one call."""

_ABSENT = frozenset({404, 405, 501})
"""HTTP states of a server that does not know the path or what is asked there."""

T = TypeVar("T")
R = TypeVar("R")


class OpenAIModel:
    """A model that a server at `base_url` calls `model`. Thread-safe.

    base_url: with the version, for example "http://localhost:8000/v1". Only this address is
              contacted; without credentials in it.
    api_key:  sent as a bearer token.
    timeout_seconds: for one request, see `JsonClient`; in a stream, to the next piece.
    retries:  further attempts when the server is busy (HTTP 429, 5xx) or the connection fails.

    What the server answers badly, or not, is a ModelError that names the address; what it cannot
    do, an UnsupportedError. Token counts in `usage` are the server's own, 0 where it gives none.
    """

    capabilities: frozenset[Capability] = frozenset({"generate", "likelihood"})
    """What a server may offer; one that does not give likelihoods says so when asked."""

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
            raise ConfigError("must name a model of the server", field="model")
        if not 0 < timeout_seconds < math.inf:
            raise ConfigError("must be more than 0", field="timeout_seconds")
        if retries < 0:
            raise ConfigError("must be at least 0", field="retries")
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
        """UnsupportedError: servers do not show states."""
        raise unsupported(self, "states")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Raises UnsupportedError where the server has no `/tokenize`."""
        return _together(lambda text: len(self._tokenize(_plain(text, special=False))), texts)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None
    ) -> list[Completion]:
        """Several prompts are sent at the same time."""
        check_prompts(prompts)
        settings = sampling or Sampling()
        return _together(lambda prompt: self._complete(prompt, settings), prompts)

    def stream(self, prompt: Prompt, sampling: Sampling | None = None) -> Iterator[Chunk]:
        begun = perf_counter()
        url, body = self._request(prompt, sampling or Sampling())
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        finish: Finish | None = None
        usage = Usage()
        for event in self._client.stream(url, body):
            if event.get("usage") is not None:
                usage = replies.usage(url, event)
            if not event.get("choices"):
                continue
            choice = replies.pick(url, event, "choices", 0, kind=dict)
            if text := _text(url, choice, prompt, message="delta"):
                yield Chunk(text)
            if choice.get("finish_reason") is not None:
                finish = replies.finish(url, choice)
        if finish is None:
            raise ModelError(f"{url}: the stream broke off before the end of the text")
        yield Chunk("", finish, usage + Usage(calls=1, seconds=perf_counter() - begun))

    def likelihood(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> Likelihoods:
        """Prompt and continuation are tokenised by the server, as the module `boundary` says, and
        sent as tokens, so that there is no doubt which of them are the continuation's.

        Raises UnsupportedError where the server has no `/tokenize` or gives no log probabilities
        of a prompt's tokens (`echo` with `logprobs`).
        """
        check_prompts(prompts)
        check(continuations)
        shape = (len(prompts), len(continuations))
        numbers = range(len(prompts)) if continuations else range(0)
        rows = _together(lambda row: self._row(prompts[row], row, continuations), numbers)
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
        usage = replies.usage(url, reply) + Usage(calls=1, seconds=perf_counter() - begun)
        return Completion(text, finish, usage)

    def _request(self, prompt: Prompt, sampling: Sampling) -> tuple[str, dict[str, Any]]:
        """Address and body for a text."""
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
        """Likelihoods [c] of the continuations of one prompt."""
        begun = perf_counter()
        head = self._tokenize(_joined(prompt))
        if not head and not isinstance(prompt, str):
            raise self._no_likelihood("its /tokenize knows no conversations")
        if not head:
            raise InvalidInputError("has no tokens", field=f"prompts[{row}]")
        tails = [self._tail(prompt, head, continuation) for continuation in continuations]
        if not all(tails):
            raise ModelError(f"{self._url}: the server finds no tokens in a continuation")
        rows = [[*head, *tail] for tail in tails]
        url = f"{self._url}/completions"
        body = {"model": self.name, "prompt": rows, "echo": True, "logprobs": 1}
        try:
            # Servers that cannot write nothing write one token, which is left out.
            reply = self._client.post(url, {**body, "max_tokens": 1, "temperature": 0})
        except HttpError as error:
            said = str(error).removeprefix(url)
            if error.status in _ABSENT or "echo" in said or "logprob" in said:
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
        """Sum of the log probabilities of the tokens `begin` to `end` (exclusive)."""
        choice = replies.pick(url, reply, "choices", number, kind=dict)
        if choice.get("index") != number:
            raise ModelError(f"{url}: choices[{number}].index of the reply is not {number}")
        if choice.get("logprobs") is None:
            raise self._no_likelihood(f"{url} answers without logprobs")
        values = replies.pick(url, choice, "logprobs", "token_logprobs", kind=list)
        if len(values) not in (end, end + 1):
            raise self._no_likelihood(
                f"{url} answers {len(values)} log probabilities to {end} tokens"
            )
        wanted = values[begin:end]
        if not all(isinstance(value, int | float) and value <= 0 for value in wanted):
            raise ModelError(f"{url}: token_logprobs of the reply are not log probabilities")
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
                    f"the server does not tokenize ({error}); vLLM and llama.cpp do"
                ) from None
            raise
        tokens = replies.pick(url, reply, "tokens", kind=list)
        if not all(type(token) is int for token in tokens):
            raise ModelError(f"{url}: tokens of the reply are not all integers")
        return tokens

    def _no_likelihood(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"the server at {self._url} does not give the likelihood of a continuation "
            f"({what}); vLLM does, and so does a model loaded here"
        )


def _together(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Results for the items in order, several at a time; the first failure ends it."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(CONCURRENCY, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _text(url: str, choice: Mapping[str, Any], prompt: Prompt, *, message: str) -> str:
    """The text of a choice. In a conversation it may be absent: a model may only have thought."""
    if isinstance(prompt, str):
        return replies.text(url, choice, "text")
    content = replies.pick(url, choice, message, kind=dict).get("content")
    return "" if content is None else replies.text(url, choice, message, "content")


def _conversation(messages: Sequence[Message]) -> dict[str, Any]:
    if not messages:
        raise InvalidInputError("a conversation needs a message", field="messages")
    turns = [{"role": message.role, "content": message.content} for message in messages]
    if messages[-1].role != "assistant":
        return {"messages": turns}
    return {"messages": turns, "add_generation_prompt": False, "continue_final_message": True}


def _plain(text: str, *, special: bool) -> dict[str, Any]:
    """What vLLM's `/tokenize` wants of a text, and llama.cpp's; each passes over the other's."""
    return {"prompt": text, "add_special_tokens": special, "content": text, "add_special": special}


def _unfinished(prompt: Prompt) -> str:
    """The text that a continuation goes on with."""
    if isinstance(prompt, str):
        return prompt
    return prompt[-1].content if prompt and prompt[-1].role == "assistant" else ""


def _joined(prompt: Prompt, continuation: str = "") -> dict[str, Any]:
    """What `/tokenize` wants of a prompt with its continuation, or of a prompt to be continued."""
    text = _unfinished(prompt)
    text = text + continuation if continuation else divide(text, "")[0]
    if isinstance(prompt, str):
        return _plain(text, special=True)
    begun = bool(prompt) and prompt[-1].role == "assistant"
    turns = list(prompt[:-1] if begun else prompt)
    if text:
        turns.append(Message("assistant", text))
    return {**_conversation(turns), "add_special_tokens": False}
