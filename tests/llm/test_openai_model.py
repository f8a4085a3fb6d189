"""A local model and the same model on a server agree on texts, likelihoods and token counts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from twindex.llm import Message, Prompt, Sampling
from twindex.llm.local.causal import CausalModel
from twindex.llm.prompts import PromptTokens
from twindex.llm.server.openai import OpenAIModel

PROMPTS: list[Prompt] = [
    "the cat sat on a mat",
    [Message("user", "né 😀?")],
    [Message("user", "in one word?"), Message("assistant", "the ")],
]


class Handler(BaseHTTPRequestHandler):
    """The parts of vLLM's server that these tests need."""

    model: CausalModel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = [Message(**turn) for turn in body.get("messages", [])]
        prompt = messages or body["prompt"]
        if self.path == "/tokenize":
            tokens = PromptTokens(self.model._tokenizer, prompt).whole()
            self.send({"tokens": tokens if body["add_special_tokens"] or messages else tokens[1:]})
        elif body.get("echo"):
            choices = [
                {"index": number, "logprobs": {"token_logprobs": self.scores(tokens)}}
                for number, tokens in enumerate(prompt)
            ]
            self.send({"choices": choices})
        else:
            names = ("max_tokens", "temperature", "top_p", "seed")
            stop = tuple(body.get("stop", ()))
            sampling = Sampling(**{name: body[name] for name in names}, stop=stop)
            self.write(prompt, sampling, body.get("stream", False))

    def write(self, prompt: Prompt, sampling: Sampling, stream: bool) -> None:
        if not stream:
            (answer,) = self.model.generate([prompt], sampling)
            usage = {
                name: getattr(answer.usage, name) for name in ("prompt_tokens", "completion_tokens")
            }
            choice = {"text": answer.text, "message": {"content": answer.text}}
            choice["finish_reason"] = answer.finish
            return self.send({"choices": [choice], "usage": usage})
        self.send(None)
        for chunk in self.model.stream(prompt, sampling):
            choice = {"text": chunk.text, "delta": {"content": chunk.text}}
            choice["finish_reason"] = chunk.finish  # type: ignore[assignment]
            self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        return None

    def scores(self, tokens: list[int]) -> list[float | None]:
        decoding = self.model.start([tokens[:1]])
        logits = decoding.feed([tokens[1:]])[0]
        first = torch.cat([self.model.start([tokens[:1]]).logits, logits[:-1]])
        found = first.double().log_softmax(-1).gather(1, torch.tensor(tokens[1:])[:, None])
        return [None, *found[:, 0].tolist(), -1.0]

    def send(self, value: Any) -> None:
        self.send_response(200)
        kind = "text/event-stream" if value is None else "application/json"
        self.send_header("Content-Type", kind)
        self.end_headers()
        if value is not None:
            self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def local(tiny_llama: Path) -> CausalModel:
    return CausalModel.load(str(tiny_llama))


@pytest.fixture(scope="module")
def remote(local: CausalModel) -> Iterator[OpenAIModel]:
    handler = type("TinyHandler", (Handler,), {"model": local})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield OpenAIModel(f"http://127.0.0.1:{server.server_port}/v1", "tiny")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "sampling", [Sampling(max_tokens=12), Sampling(12, stop=("a", "e"), temperature=1.0, seed=3)]
)
def test_server_and_local_model_generate_equal_texts(
    local: CausalModel, remote: OpenAIModel, sampling: Sampling
) -> None:
    found, wanted = remote.generate(PROMPTS, sampling), local.generate(PROMPTS, sampling)
    assert [(one.text, one.finish) for one in found] == [(one.text, one.finish) for one in wanted]
    assert [one.usage.prompt_tokens for one in found] == [one.usage.prompt_tokens for one in wanted]
    for prompt, whole in zip(PROMPTS, wanted, strict=True):
        *chunks, last = remote.stream(prompt, sampling)
        assert "".join(chunk.text for chunk in chunks) == whole.text
        assert last.finish == whole.finish


def test_server_and_local_model_agree_on_likelihoods(
    local: CausalModel, remote: OpenAIModel
) -> None:
    prompts: list[Prompt] = [
        *PROMPTS,
        "the cat: ",
        [Message("user", "a"), Message("assistant", "")],
    ]
    continuations = ["sat", "? on", "ate the mat"]
    found = remote.likelihood(prompts, continuations)
    wanted = local.likelihood(prompts, continuations)
    assert np.array_equal(found.tokens, wanted.tokens)
    assert np.allclose(found.total, wanted.total, atol=1e-4)
    assert found.total.argmax(axis=1).tolist() == wanted.total.argmax(axis=1).tolist()


def test_server_and_local_model_count_equal_tokens(local: CausalModel, remote: OpenAIModel) -> None:
    texts = ["", "the cat", "né 😀"]
    assert remote.count_tokens(texts) == local.count_tokens(texts)
