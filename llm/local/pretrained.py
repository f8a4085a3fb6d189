"""From a folder of weights to a model of transformers, quietly and without a network."""

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
"""Padded tokens in a batch, by device. On a processor the speed of SmolLM2-135M hardly changes from
512 to 3,072, with a shallow best here; for CUDA it is that of the encoders, not measured."""

_quieting = Lock()

FAILURES = (
    *(OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
    *(AssertionError, ImportError, RuntimeError, SafetensorError, StrictDataclassError),
    struct.error,
)
"""What transformers raises for folders that it cannot load: it uses their files unchecked."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A model as it was loaded, ready to run: what both kinds of models share.

    model: a view of `shared`, which whoever uses the model must keep; None where there is none.
    """

    name: str
    model: Any
    tokenizer: Tokenizer
    device: torch.device
    precision: Precision
    digest: str
    shared: SharedModel | None = None


class PretrainedModel:
    """What causal and masked models share: identity, and from text to tokens and back."""

    loader: ClassVar[Any]
    """The class of transformers that loads a model of this kind."""

    def __init__(self, parts: Pretrained) -> None:
        head = parts.model.get_output_embeddings()
        if head is None:
            raise ModelError(f"model {parts.name!r} has no language-model head")
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
        """The model of that name or path; options are those of `load_pretrained`.

        Raises ModelError when the model cannot be found, read or used.
        """
        return cls(load_pretrained(cls.loader, name, **options))

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The same model in another folder is the same."""
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
    """Load a model and its tokenizer, or share those in use that have the same weights and
    arithmetic; `kind` is AutoModelForCausalLM or AutoModelForMaskedLM.

    Raises ModelError when it cannot be found or read, ConfigError for what this machine cannot do.
    """
    place = torch.device(pick_device(device))
    if precision == "int8" and place.type != "cpu":
        raise ConfigError(
            "int8 runs on processors only: bfloat16 is the one for CUDA", field="precision"
        )
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
        return model.eval().to(place), Tokenizer(tokenizer)

    with loading(name, source):
        shared = share(f"{kind.__name__} {dtype}", source, str(place), load)
        model, tokenizer, digest = shared.view(), shared.tokenizer, shared.digest
        if precision == "int8":
            quantise(model)
    kept = None if precision == "int8" else shared  # Else the weights in float32 stayed.
    logger.info("model %s runs on %s in %s", name, place, precision)
    return Pretrained(name, model, tokenizer, place, precision, digest, kept)


@contextmanager
def loading(name: str, source: Path) -> Iterator[None]:
    """What the libraries raise inside, becomes a ModelError that names the model."""
    try:
        yield
    except FAILURES as error:
        raise ModelError(f"model {name!r} in {source} cannot be loaded: {error}") from error


def pick_device(asked: Device) -> str:
    """Raises ConfigError when there is no such device."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError("this machine has no CUDA device", field="device")
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return asked


def no_states(count: int, steps: int, model: PretrainedModel) -> States:
    """Where states of `count` texts will be written."""
    return States(
        np.zeros((count, steps, model.dimensions), np.float32),
        np.zeros((count, steps, model.vocabulary), np.float32),
        np.zeros((count, steps), np.int64),
        np.zeros(count, np.int64),
    )


def check_texts(texts: Sequence[Tokens], around: int, limit: int | None, name: str) -> None:
    """Raises InvalidInputError, naming the longest text, if it and the tokens around it are more
    than the model has positions."""
    number = max(range(len(texts)), key=lambda place: len(texts[place]))
    longest = len(texts[number])
    if limit is not None and longest + around > limit:
        raise InvalidInputError(
            f"{longest} tokens and {around} of the prompt around them are more than the {limit} "
            f"that model {name!r} reads",
            field=f"texts[{number}]",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and reporting on what it loads; then as it was.

    One thread at a time: these settings are of the whole process.
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
