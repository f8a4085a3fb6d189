"""Converts each GGUF file once to a folder of safetensors, which loads faster than the file."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers

from ...core import MissingExtraError, ModelError
from .cache import CACHE, cache_folder, make_folder, remove_folder
from .digest import weights_digest

_SEAL = "digest"
"""Name of a file in a converted folder, which contains the digest of the other files."""


def gguf_file(source: Path) -> Path | None:
    """Return the GGUF file at a path; None if the weights there have another format.

    source: a file or a folder. The GGUF file of a folder is returned if it is the only one and the
    folder has no safetensors.

    Raises ModelError if a folder has several GGUF files and no config.json.
    """
    if source.is_file():
        return source if source.suffix == ".gguf" else None
    found = sorted(source.glob("*.gguf"))
    if len(found) > 1 and not (source / "config.json").exists():
        names = ", ".join(file.name for file in found)
        raise ModelError(
            f"the folder {source} contains several GGUF files; name one of them: {names}"
        )
    return found[0] if len(found) == 1 and not any(source.glob("*.safetensors")) else None


def unpacked(file: Path, digest: str, dtype: torch.dtype) -> Path:
    """Return a folder with the dequantised weights, configuration and tokenizer of a GGUF file.

    The folder is created once in the cache. A damaged folder is created again.

    digest: digest of the file, from `weights_digest`.
    dtype:  type of the dequantised weights.

    Raises ModelError if the file cannot be read, and MissingExtraError if a required package is not
    installed.
    """
    name = f"{digest}-{str(dtype).removeprefix('torch.')}"
    target = cache_folder() / "gguf" / name
    try:
        if target.is_dir() and not _intact(target):
            remove_folder(target)
        return make_folder(target, lambda folder: convert(file, folder, dtype))
    except OSError as error:
        raise ModelError(
            f"cannot convert {file} into {target.parent} ({error}). Check that the file is "
            f"complete and the folder is writable, or set {CACHE} to another folder"
        ) from error


def seal(folder: Path) -> None:
    """Write the digest of a complete folder into a file in the folder, to detect later damage."""
    (folder / _SEAL).write_text(weights_digest(folder))


def _intact(folder: Path) -> bool:
    sealed = folder / _SEAL
    return sealed.is_file() and sealed.read_text() == weights_digest(folder)


def convert(file: Path, folder: Path, dtype: torch.dtype) -> None:
    """Dequantise a GGUF file and write its weights, configuration and tokenizer into a folder.

    Takes half a minute or more and shows a progress bar on standard error.

    dtype: type of the weights.
    """
    for package in ("gguf", "accelerate"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "gguf")
    options: dict[str, Any] = {
        "gguf_file": file.name,
        "local_files_only": True,
        "trust_remote_code": False,
    }
    # A folder with only this file, so that configurations beside the original are not read.
    with TemporaryDirectory(prefix="twindex-gguf-") as alone:
        (Path(alone) / file.name).symlink_to(file.resolve())
        model = transformers.AutoModelForCausalLM.from_pretrained(
            alone,
            dtype=dtype,
            quantization_config=transformers.GgufConfig(dequantize=True),
            **options,
        )
        model.save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(alone, **options).save_pretrained(folder)
    seal(folder)
