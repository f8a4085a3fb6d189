"""Loads a language model of any kind by its name."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..core import ModelError
from ..core.config import Device
from .fake import NAME as FAKE
from .fake import FakeModel
from .weights.digest import weights_digest
from .weights.places import find_weights

if TYPE_CHECKING:
    from .local.causal import CausalModel
    from .local.masked import MaskedModel
    from .local.pretrained import Precision

_loaded: WeakValueDictionary[tuple[str, ...], CausalModel | MaskedModel] = WeakValueDictionary()
_loading = Lock()


def load_model(
    name: str,
    *,
    revision: str | None = None,
    precision: Precision = "float32",
    device: Device = "auto",
) -> CausalModel | MaskedModel | FakeModel:
    """Return the language model with this name or path. The name "fake" returns a FakeModel.

    The model's config.json decides whether the model is causal or masked. If a model with the same
    name, weights, precision and device is in use, that model is returned and nothing is loaded.

    revision:  commit, branch or tag on the Hugging Face hub. None: the default branch.
    precision: number type, "float32", "bfloat16" or "int8" (int8 runs only on the CPU).
    device:    "cpu", "cuda" or "auto", which selects CUDA if there is a GPU.

    Raises ModelError if the model cannot be found or read, or is neither causal nor masked. Raises
    ConfigError if this machine or this model does not support an option.
    """
    if name == FAKE:
        return FakeModel()
    from .local.pretrained import pick_device

    source = find_weights(name, revision=revision)
    key = (name, str(source), weights_digest(source), precision, pick_device(device))
    with _loading:
        model = _loaded.get(key)
        if model is None:
            kind = _kind(name, source)
            model = kind.load(name, revision=revision, precision=precision, device=device)
            _loaded[key] = model
    return model


def _kind(name: str, source: Path) -> type[CausalModel | MaskedModel]:
    from .local.causal import CausalModel
    from .local.masked import MaskedModel
    from .weights.gguf import gguf_file

    if gguf_file(source) is not None:
        return CausalModel
    try:
        configuration = json.loads((source / "config.json").read_text())
        architecture = str((configuration.get("architectures") or ["of unknown architecture"])[0])
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(
            f"model {name!r}: {source} has no readable config.json; use a folder of weights"
        ) from error
    if architecture.endswith("ForMaskedLM"):
        return MaskedModel
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return CausalModel
    raise ModelError(
        f"model {name!r} is {architecture}; use a causal language model (...ForCausalLM) "
        "or a masked one (...ForMaskedLM)"
    )
