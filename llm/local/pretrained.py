"""Loads a model with transformers from a folder of weights, without output and without network."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from ...core import ConfigError, InvalidInputError, ModelError
from ...core.config import Device
from ..protocol import Message, States, Tokens
from ..tokenizer import Tokenizer
from ..weights.digest import weights_digest
from ..weights.gguf import gguf_file, unpacked
from ..weights.places import find_weights
from ..weights.safety import check_weights
from ..weights.shared import SharedModel, share
from .int8 import quantise

logger = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16", "int8"]

BATCH_TOKENS = {"cpu": 1_024, "cuda": 65_536}
"""Device -> maximum number of padded tokens in a batch. On a CPU, SmolLM2-135M is about equally
fast from 512 to 3,072 and slightly fastest at this value. The value for CUDA is that of the
encoders; it was not measured for language models."""

_quieting = Lock()

FAILURES = (
    *(OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
    *(AssertionError, ImportError, RuntimeError, SafetensorError, StrictDataclassError),
    struct.error,
)
"""Exceptions that transformers raises for folders that it cannot load. It does not validate files
before it uses them, so many types occur."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A loaded causal or masked language model with its tokenizer.

    name:   name or path that the caller gave.
    model:  torch module. Its parameters belong to `shared`, which other models may use too.
    digest: digest of the weights.
    shared: the shared weights. Keep this object as long as the model is in use. None if the model
            has weights of its own.
    """

    name: str
    model: Any
    tokenizer: Tokenizer
    device: torch.device
    precision: Precision
    digest: str
    shared: SharedModel | None = None


class PretrainedModel:
    """Base class of causal and masked models. It loads a model and converts texts to tokens."""

    loader: ClassVar[Any]
    """The class of transformers that loads a model of this kind."""

    def __init__(self, parts: Pretrained) -> None:
        head = parts.model.get_output_embeddings()
        if head is None:
            raise ModelError(
                f"model {parts.name!r} has no language-model head; use a causal or masked model"
            )
        self.name = parts.name
        self.vocabulary, self.dimensions = map(int, head.weight.shape)
        self.batch_tokens = BATCH_TOKENS[parts.device.type]
        self._head = head
        self._model = parts.model
        self._device = parts.device
        self._parts = parts
        self._tokenizer = parts.tokenizer
        self._running = Lock()

    @classmethod
    def load(cls, name: str, **options: Any) -> Self:
        """Load the model with this name or path. `options` are passed to `load_pretrained`.

        Raises ModelError if the model cannot be found, read or used.
        """
        return cls(load_pretrained(cls.loader, name, **options))

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Identity of the model: name of the model or its folder, digest, and precision."""
        return {
            "model": Path(self.name).name,
            "weights": self._parts.digest,
            "precision": self._parts.precision,
        }

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return list(map(len, self.tokenize(texts)))

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return self._tokenizer.tokenize(texts)

    def tokenize_markup(self, text: str) -> list[int]:
        return self._tokenizer.tokenize_markup(text)

    def piece(self, token: int) -> str:
        return self._tokenizer.piece(token)

    def decode(self, tokens: Tokens) -> str:
        return self._tokenizer.decode(tokens)

    def render(self, messages: Sequence[Message]) -> str:
        return self._tokenizer.render(messages)


def load_pretrained(
    kind: Any,
    name: str,
    *,
    revision: str | None = None,
    precision: Precision = "float32",
    device: Device = "auto",
) -> Pretrained:
    """Return a language model with its tokenizer.

    If a model with the same weights, number type and device is in use, its weights are shared
    instead of loaded again.

    kind: class that loads the weights, AutoModelForCausalLM or AutoModelForMaskedLM.

    The other parameters are those of `load_model`.

    Raises ModelError if the model cannot be found or read. Raises ConfigError if this machine does
    not support the device or the precision.
    """
    torch_device = torch.device(pick_device(device))
    if precision == "int8" and torch_device.type != "cpu":
        raise ConfigError("int8 runs only on the CPU; use bfloat16 on CUDA", field="precision")
    source = find_weights(name, revision=revision)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}

    def load() -> tuple[Any, Any]:
        with quiet():
            file = gguf_file(source)
            folder = source if file is None else unpacked(file, weights_digest(source), dtype)
            check_weights(name, folder)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
            model = kind.from_pretrained(folder, dtype=dtype, use_safetensors=True, **options)
        return model.eval().to(torch_device), Tokenizer(tokenizer)

    with loading(name, source):
        shared = share(f"{kind.__name__} {dtype}", source, str(torch_device), load)
        model, tokenizer, digest = shared.view(), shared.tokenizer, shared.digest
        if precision == "int8":
            quantise(model)
    kept = None if precision == "int8" else shared  # Keeping it would keep the float32 weights.
    logger.info("model %s runs on %s in %s", name, torch_device, precision)
    return Pretrained(name, model, tokenizer, torch_device, precision, digest, kept)


@contextmanager
def loading(name: str, source: Path) -> Iterator[None]:
    """Turn exceptions of model libraries inside the `with` block into a ModelError.

    name:   name of the model in the error.
    source: folder of its weights.
    """
    try:
        yield
    except FAILURES as error:
        raise ModelError(f"model {name!r} in {source} cannot be loaded ({error})") from error


def pick_device(device: Device) -> str:
    """Return "cpu" or "cuda" for a configured device. "auto" selects CUDA if there is a GPU.

    Raises ConfigError if the device is "cuda" and there is no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("this machine has no CUDA device; use cpu or auto", field="device")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def no_states(count: int, steps: int, model: PretrainedModel) -> States:
    """Return States for `count` texts with all values 0, to be filled by the caller."""
    return States(
        np.zeros((count, steps, model.dimensions), np.float32),
        np.zeros((count, steps, model.vocabulary), np.float32),
        np.zeros((count, steps), np.int64),
        np.zeros(count, np.int64),
    )


def check_texts(texts: Sequence[Tokens], around: int, limit: int | None, name: str) -> None:
    """Raise InvalidInputError if the longest text is too long for the model.

    The error names the longest text.

    around: number of tokens that the prompt and further steps add to each text.
    limit:  maximum number of tokens that the model accepts; None: unlimited.
    name:   name of the model.
    """
    number = max(range(len(texts)), key=lambda position: len(texts[position]))
    longest = len(texts[number])
    if limit is not None and longest + around > limit:
        raise InvalidInputError(
            f"has {longest} tokens, and the prompt and further steps add {around}, but model "
            f"{name!r} accepts at most {limit}; shorten the text",
            field=f"texts[{number}]",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress progress bars and log messages of transformers during the `with` block.

    The settings of transformers apply to the whole process, so only one thread at a time can be
    inside the block. The settings are restored at the end of the block.
    """
    verbose: Any = transformers.utils.logging
    with _quieting:
        verbosity, bars = verbose.get_verbosity(), verbose.is_progress_bar_enabled()
        verbose.set_verbosity_error()
        verbose.disable_progress_bar()
        try:
            yield
        finally:
            verbose.set_verbosity(verbosity)
            if bars:
                verbose.enable_progress_bar()
