"""From a folder of weights to a model of transformers, quietly and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers

from ..core import ConfigError, ModelError
from .digest import weights_digest
from .gguf import gguf_file, unpacked
from .tokenizer import Tokenizer
from .weights import find_weights

Precision = Literal["float32", "bfloat16", "int8"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A model as it was loaded, ready to run: what both kinds of models share."""

    name: str
    model: Any
    tokenizer: Tokenizer
    device: torch.device
    precision: Precision
    digest: str

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The same model in another folder is the same."""
        return {
            "model": Path(self.name).name,
            "weights": self.digest,
            "precision": self.precision,
        }


def load_pretrained(
    kind: Any,
    name: str,
    *,
    revision: str | None = None,
    precision: Precision = "float32",
    device: Device = "auto",
) -> Pretrained:
    """Load a model and its tokenizer; `kind` is AutoModelForCausalLM or AutoModelForMaskedLM.

    Raises ModelError when it cannot be found or read, ConfigError for what this machine cannot do.
    """
    place = torch.device(_device(device))
    if precision == "int8" and place.type != "cpu":
        raise ConfigError(
            "int8 runs on processors only: bfloat16 is the one for CUDA", field="precision"
        )
    source = find_weights(name, revision=revision)
    digest = weights_digest(source)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet():
            file = gguf_file(source)
            folder = source if file is None else unpacked(file, digest, dtype)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
            model = kind.from_pretrained(folder, dtype=dtype, **options).eval().to(place)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(f"model {name!r} in {source} cannot be loaded: {error}") from error
    return Pretrained(name, model, Tokenizer(tokenizer), place, precision, digest)


def _device(asked: Device) -> str:
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError("this machine has no CUDA device", field="device")
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return asked


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and reporting on what it loads; then as it was."""
    logging: Any = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
