"""Checks the configuration of a server without starting it: `twindex serve --check-config`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from .....core import ConfigError, NotFoundError, TwindexError
from .....index import LocalStore, is_collection, open_target
from .....index.models import model_names
from ....http.arrival.requirements import check_keys, check_tls
from ....serving.access.keyring import keyring_of
from ....serving.measuring.info import without_user
from ....serving.measuring.tracing import endpoint, require_otel
from ....serving.operations.reloading import KINDS, missing_models, models_of
from ....serving.settings import Settings


def check(root: Path, settings: Settings, host: str = "127.0.0.1") -> list[str]:
    """Return a message for each problem of a configuration. Loads no model and changes nothing.

    Checks the folder of the collections, the keys that the address `host` needs, the certificate,
    the place of the audit log, the files of rerankers, generators and rewriters, the place of
    snapshots, and that every model is on this machine.
    """
    problems = []
    names: dict[str, str] = {}
    for part in (_parts, _snapshots, _traces):
        for found in part(settings):
            if isinstance(found, TwindexError):
                problems.append(str(found))
            else:
                names |= found
    if not root.is_dir():
        problems.append(str(NotFoundError(f"{root} is not a folder; create it first")))
    else:
        problems += map(str, _door(root, settings, host))
        for folder in [root, *sorted(root.iterdir())]:
            if is_collection(folder) and not folder.name.startswith("."):
                try:
                    store = LocalStore.open(folder, verify="size", read_only=True)
                except TwindexError as error:
                    problems.append(str(error))
                    continue
                names |= dict.fromkeys(model_names(store.config), f"collection {folder.name}")
                store.close()
    names |= dict.fromkeys(settings.models, "models")
    return [*problems, *missing_models(names)]


def _parts(settings: Settings) -> Iterator[TwindexError | dict[str, str]]:
    """Yield the models of each file of parts, with the name of the setting; or its error."""
    for name, kind in KINDS.items():
        try:
            found = kind.of(getattr(settings, name), settings.device)
        except TwindexError as error:
            yield error
            continue
        yield dict.fromkeys(models_of(found), name)


def _snapshots(settings: Settings) -> Iterator[TwindexError | dict[str, str]]:
    if settings.snapshots is not None:
        try:
            open_target(settings.snapshots)
        except TwindexError as error:
            yield error


def _door(root: Path, settings: Settings, host: str) -> Iterator[TwindexError]:
    """Yield what is wrong with the keys, the certificate and the audit log."""
    keyring = keyring_of(root, settings)
    try:
        keyring.file.read()
        check_keys(keyring, host, settings)
    except TwindexError as error:
        yield error
    try:
        check_tls(settings)
    except TwindexError as error:
        yield error
    log = settings.audit_log
    if log is not None and not (
        os.access(log, os.R_OK | os.W_OK) if log.is_file() else _can_create(log)
    ):
        yield ConfigError(
            f"{log} cannot be written; name a file in a folder that the server may write to",
            field="audit_log",
        )


def _can_create(file: Path) -> bool:
    return not file.exists() and file.parent.is_dir() and os.access(file.parent, os.W_OK | os.X_OK)


def _traces(settings: Settings) -> Iterator[TwindexError | dict[str, str]]:
    if settings.traces is not None:
        try:
            endpoint(settings.traces)
            require_otel()
        except TwindexError as error:
            yield error


def shown(settings: Settings) -> str:
    """Return the effective settings, one a line, without secrets."""
    lines = []
    for name, value in settings:
        if isinstance(value, SecretStr):
            text = "(set)"
        elif isinstance(value, tuple):
            text = ", ".join(map(str, value)) or "none"
        else:
            text = "none" if value is None else without_user(str(value))
        lines.append(f"{name} = {text}")
    return "\n".join(lines)
