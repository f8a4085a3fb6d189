"""GGUF files: their weights are unpacked once, and kept as a folder that loads in no time."""

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
"""File of a converted folder that holds the digest of the others."""


def gguf_file(source: Path) -> Path | None:
    """The GGUF file that these weights are: the path itself, or the only one in a folder without
    other weights. None where they are something else."""
    if source.is_file():
        return source if source.suffix == ".gguf" else None
    found = sorted(source.glob("*.gguf"))
    if len(found) > 1 and not (source / "config.json").exists():
        names = ", ".join(file.name for file in found)
        raise ModelError(f"{source} holds several GGUF files, name one of them: {names}")
    return found[0] if len(found) == 1 and not any(source.glob("*.safetensors")) else None


def unpacked(file: Path, digest: str, dtype: torch.dtype) -> Path:
    """A folder with the dequantised weights, the configuration and the tokenizer of a GGUF file.

    digest: of the file, from `weights_digest`. A folder that was damaged since is made again.

    Raises ModelError when the file cannot be read, MissingExtraError without the packages for it.
    """
    name = f"{digest}-{str(dtype).removeprefix('torch.')}"
    target = cache_folder() / "gguf" / name
    try:
        if target.is_dir() and not _intact(target):
            remove_folder(target)
        return make_folder(target, lambda folder: convert(file, folder, dtype))
    except OSError as error:
        raise ModelError(
            f"cannot unpack {file} into {target.parent}: {error}. Is the file whole, and can the "
            f"folder be written ({CACHE} names another)?"
        ) from error


def seal(folder: Path) -> None:
    """Write down what is in a folder that is complete."""
    (folder / _SEAL).write_text(weights_digest(folder))


def _intact(folder: Path) -> bool:
    sealed = folder / _SEAL
    return sealed.is_file() and sealed.read_text() == weights_digest(folder)


def convert(file: Path, folder: Path, dtype: torch.dtype) -> None:
    """Dequantise a file into a folder: half a minute and more, with a bar on stderr."""
    for package in ("gguf", "accelerate"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "gguf")
    options: dict[str, Any] = {
        "gguf_file": file.name,
        "local_files_only": True,
        "trust_remote_code": False,
    }
    # Alone in a folder: configurations that lie beside the file are not part of it.
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
