"""Refuses a folder of weights if loading it could run code from the folder.

Loading must only read numbers. Three kinds of files can do more:

- Python modules that a configuration names (`auto_map`, `modules.json`, activation functions);
- pickles such as `pytorch_model.bin`, which can call functions when they are read;
- adapters and kernels, which load other, unchecked repositories.

Model libraries refuse most of these files themselves, but each library and version does it
differently. The check in this module is the same for all loaders. It runs before they read a file,
and its error names the file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core import ModelError

MOST_FILES = 10_000
"""Maximum number of files in a folder of weights. Folders with more, such as `/`, are refused."""
LARGEST_CONFIG = 16 << 20
"""Maximum size of a configuration file, in bytes."""

PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})
SAFE = frozenset({"model.safetensors", "model.safetensors.index.json"})
"""If a folder has one of these files, all loaders read it and ignore pickles in the folder."""
NOT_LOADED = frozenset({"onnx", "openvino", "coreml"})
"""Folders with exports for other runtimes, which are not loaded."""

MODULES = frozenset(
    {
        *("Transformer", "MLMTransformer", "Router", "Asym"),
        *("Pooling", "SpladePooling", "WeightedLayerPooling", "HierarchicalTokenPooling"),
        *("Dense", "Normalize", "LayerNorm", "Dropout", "MultiVectorMask"),
        *("SparseAutoEncoder", "CSRSparsity", "SparseStaticEmbedding", "IDF"),
        *("StaticEmbedding", "LogitScore"),
    }
)
"""Classes of sentence-transformers that a `modules.json` may name."""
ALIASES = frozenset({"pylate.models.Dense.Dense"})
"""Names that sentence-transformers maps to its own classes."""

_MODULE = re.compile(r"sentence_transformers(\.[a-z_]+)*(\.[A-Za-z]+)?\.(?P<name>[A-Za-z]+)")
_ACTIVATION = re.compile(
    r"torch\.nn(\.modules(\.[a-z]+)?)?\.[A-Z]\w*|sentence_transformers(\.[a-z_]+)*\.[A-Z]\w*"
)
_ACTIVATIONS = frozenset(
    {"activation_fn", "activation_function", "sbert_ce_default_activation_function"}
)
_KERNELS = frozenset({"attn_implementation", "_attn_implementation", "experts_implementation"})
_OPTIONS = frozenset({"trust_remote_code", "use_safetensors", "weights_only", "variant"})
"""Options of loaders that a folder must not set."""

SAFETENSORS = "Only safetensors are loaded: convert it (see docs/models.md)"


def check_weights(name: str, source: Path) -> None:
    """Raise ModelError, which names the file, if loading the weights could run code.

    name:   name of the model in the error.
    source: a folder of weights, or a GGUF file.
    """
    if source.is_file():
        if source.suffix != ".gguf":
            raise ModelError(f"model {name!r} is a file; use a folder of weights or a GGUF file")
        return
    for folder, names in _folders(name, source):
        _check_pickles(name, source, folder, names)
        for file in sorted(names):
            if file == "adapter_config.json":
                raise ModelError(
                    f"model {name!r}: {_shown(source, folder / file)} shows that this is an "
                    "adapter; merge it into its base model and use the merged model"
                )
            if file == "modules.json" or file.endswith("config.json"):
                _check_config(name, source, folder / file)


def _folders(name: str, source: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield `source` and its subfolders that loaders may read, each with the names of its files.

    Links to folders are followed, because loaders follow them too.

    name: name of the model.
    """
    count = 0
    for folder, below, files in os.walk(source, followlinks=True):
        below[:] = [one for one in below if one not in NOT_LOADED and not one.startswith(".")]
        count += len(files) + len(below)
        if count > MOST_FILES:
            raise ModelError(
                f"model {name!r} has more than {MOST_FILES:,} files; use the folder of one model"
            )
        yield Path(folder), frozenset(files)


def _check_pickles(name: str, source: Path, folder: Path, names: frozenset[str]) -> None:
    if SAFE & names:
        return
    for file in sorted(names):
        if Path(file).suffix in PICKLED:
            raise ModelError(
                f"model {name!r}: {_shown(source, folder / file)} is a pickle, which can run code "
                f"when it is read, and the folder has no model.safetensors. {SAFETENSORS}"
            )


def _check_config(name: str, source: Path, file: Path) -> None:
    try:
        if file.stat().st_size > LARGEST_CONFIG:
            raise ModelError(
                f"model {name!r}: {_shown(source, file)} is larger than {LARGEST_CONFIG >> 20} "
                "MiB; use a folder of weights with a smaller configuration"
            )
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # Invalid JSON cannot name code. Loaders report what is wrong with it.
    code = _code(config, file.name)
    if code is not None:
        raise ModelError(
            f"model {name!r}: {_shown(source, file)} {code}. Code that comes with weights is "
            "never run; use a model that transformers or sentence-transformers supports"
        )


def _code(config: Any, file: str) -> str | None:
    """Return a description of the code that a configuration would run; None if it would run none.

    config: the JSON value.
    file:   name of the configuration file.
    """
    if file == "modules.json" and isinstance(config, list):
        named = [str(one.get("type")) for one in config if isinstance(one, Mapping)]
    else:
        types = config.get("types") if isinstance(config, Mapping) else None
        named = [str(one) for one in types.values()] if isinstance(types, Mapping) else []
    for one in named:
        if not _is_module(one):
            return f"names the module {one!r}, which is not one of sentence-transformers"
    for owner, key, value in _entries(config):
        if key == "auto_map" and value and not _native(owner, config):
            return "names code of its own (auto_map)"
        if key in _ACTIVATIONS and "." in str(value) and not _ACTIVATION.fullmatch(str(value)):
            return f"names the activation function {value!r}, which is not one of torch.nn"
        if key in _KERNELS and "/" in str(value):
            return f"names kernels of another repository ({key} = {value!r})"
        if key == "transformers_weights" and ".safetensors" not in str(value):
            return f"names the weights {value!r}, which are not safetensors"
        if key in _OPTIONS and file.startswith("sentence_"):
            return f"sets {key!r}, an option that a model folder must not set"
    return None


def _entries(config: Any) -> Iterator[tuple[Mapping[str, Any], str, Any]]:
    """Yield (object, key, value) for all entries of all objects in a JSON value."""
    rest = [config]
    while rest:
        value = rest.pop()
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield value, key, inner
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)


def _is_module(name: str) -> bool:
    found = _MODULE.fullmatch(name)
    return name in ALIASES or (found is not None and found["name"] in MODULES)


def _native(owner: Mapping[str, Any], config: Any) -> bool:
    """Return True if transformers has its own class for a model whose configuration names code.

    transformers then loads its own class instead of the code, because `trust_remote_code` is always
    False. Many published models, such as Phi-3, name code only for older versions of transformers.

    owner:  object in the configuration with an `auto_map`, which names code for a model or a
            tokenizer.
    config: the whole configuration.
    """
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

    kind = owner.get("model_type") or config.get("model_type")
    if kind is not None:
        return str(kind) in CONFIG_MAPPING
    tokenizer = owner.get("tokenizer_class")
    return tokenizer is not None and tokenizer_class_from_name(str(tokenizer)) is not None


def _shown(source: Path, file: Path) -> str:
    """Return the path of a file relative to the folder `source`, for errors.

    Clients must not see the absolute path.
    """
    return file.relative_to(source).as_posix()
