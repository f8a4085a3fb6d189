"""A model by its name, whatever its kind."""

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
    """The model of that name or path, causal or masked as its configuration says; or "fake".

    A model that is in use already, from the same weights with the same precision and device, is
    shared and not loaded again.

    Raises ModelError when it cannot be found or read or is of neither kind, ConfigError for what
    this machine or this model cannot do.
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
        architecture = str((configuration.get("architectures") or ["of no known kind"])[0])
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"model {name!r}: {source} has no config.json to read") from error
    if architecture.endswith("ForMaskedLM"):
        return MaskedModel
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return CausalModel
    raise ModelError(
        f"model {name!r} is {architecture}: neither a causal language model (...ForCausalLM) "
        "nor a masked one (...ForMaskedLM)"
    )
