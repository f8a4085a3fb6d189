"""The file of API keys: SHA-256 digests of the keys, and what each key may do.

A key is 256 random bits, so a digest without salt and stretching cannot be reversed. The file is
replaced as a whole: after a crash it has either the old or the new content.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from ....core import (
    ConfigError,
    InvalidInputError,
    NotFoundError,
    SourceError,
    StorageError,
    TwindexError,
)
from ....core.errors import shown
from ....core.files import read_bounded
from ....core.filters import Condition, parse_filter
from ....index.arrays.files import exclusive, sync_directory
from .access import SCOPES, Access, Limits, Scope

FILE_NAME = ".twindex-keys.json"
"""Name of the file of keys in the folder of the collections."""

FORMAT = 1
MOST_BYTES = 64 << 20
MOST_KEYS = 100_000
_KEY = re.compile(r"tw_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_PATTERN = re.compile(r"[A-Za-z0-9*_-]{1,64}")

Signed = Literal["refused", "accepted", "required"]
"""Whether requests with a key may, or must, have a signed filter."""


class RevokedError(TwindexError):
    """The key that changes the file was revoked, or has expired."""


@dataclass(frozen=True, slots=True)
class Key:
    """A stored key. All times are in seconds since 1970.

    id:          beginning of the key, which logs may show.
    name:        name for people.
    digest:      SHA-256 of the whole key, in hexadecimal.
    collections: names of the collections that it sees. `*` stands for any characters.
    filter:      JSON filter on all documents that it reads or writes; None: all documents.
    expires:     time of its end; None: it does not expire.
    revoked:     time of its revocation; None: it is valid.
    signed:      whether requests may, or must, have a signed filter.
    signing:     secret for signed filters; None if they are refused.
    creator:     id of the key that created this one; None: the operator did.
    """

    id: str
    name: str
    digest: str = field(repr=False)
    scopes: tuple[Scope, ...]
    created: float
    collections: tuple[str, ...] = ("*",)
    filter: Mapping[str, Any] | None = None
    expires: float | None = None
    revoked: float | None = None
    limits: Limits = field(default_factory=Limits)
    signed: Signed = "refused"
    signing: str | None = field(default=None, repr=False)
    creator: str | None = None

    def state(self, now: float) -> Literal["valid", "revoked", "expired"]:
        """Return the state of the key. now: seconds since 1970."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"

    def access(self, creator: Access | None = None) -> Access:
        """Return what requests with this key may do. creator: access of the key that created it."""
        return Access(
            self.id,
            frozenset(self.scopes),
            self.collections,
            self.condition(),
            self.limits,
            self.name,
            self.expires,
            () if creator is None else creator.budgets,
        )

    def condition(self) -> Condition | None:
        """Return the filter as a condition; None: all documents."""
        return parse_filter(self.filter)


def id_of(key: str) -> str | None:
    """Return the id of a key; None if the text is no key."""
    found = _KEY.fullmatch(key)
    return None if found is None else found[1]


def digest_of(key: str) -> str:
    """Return the digest of a key, as it is stored."""
    return sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Created:
    """A new key. Its secrets are shown once and not stored, except for `signing`.

    secret:  the key that requests send.
    signing: secret for signed filters; None if they are refused.
    """

    key: Key
    secret: str
    signing: str | None


def new_key(
    name: str,
    *,
    scopes: tuple[Scope, ...] = ("read",),
    collections: tuple[str, ...] = ("*",),
    filter: Mapping[str, Any] | None = None,  # noqa: A002
    expires: float | None = None,
    limits: Limits | None = None,
    signed: Signed = "refused",
    creator: str | None = None,
) -> Created:
    """Return a new random key. The arguments are fields of `Key`.

    Raises InvalidInputError, which names the argument, for an invalid value.
    """
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise InvalidInputError(
            f"must have 1 to 100 printable characters, got {shown(name)}", field="name"
        )
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        given = shown(unknown[0]) if unknown else "none"
        raise InvalidInputError(f"must be some of {', '.join(SCOPES)}, got {given}", field="scopes")
    for pattern in collections:
        if not _PATTERN.fullmatch(pattern):
            raise InvalidInputError(
                f"must be a name of a collection, in which * stands for any characters, got "
                f"{shown(pattern)}",
                field="collections",
            )
    parse_filter(filter)
    if "admin" in scopes and (filter is not None or signed != "refused"):
        raise InvalidInputError(
            "cannot be `admin` for a key with a filter, because administration concerns whole "
            "collections; create two keys",
            field="scopes",
        )
    if expires is not None and expires <= time.time():
        raise InvalidInputError("must be in the future", field="expires")
    own = secrets.token_hex(6)
    secret = f"tw_{own}_{secrets.token_urlsafe(32)}"
    signing = None if signed == "refused" else secrets.token_urlsafe(32)
    key = Key(
        own,
        name.strip(),
        digest_of(secret),
        tuple(scope for scope in SCOPES if scope in scopes),
        round(time.time(), 3),
        tuple(dict.fromkeys(collections)) or ("*",),
        filter,
        expires,
        None,
        limits or Limits(),
        signed,
        signing,
        creator,
    )
    return Created(key, secret, signing)


class KeyFile:
    """The keys in a file. Every change is durable when the method returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Key]:
        """Return all keys, also revoked ones, oldest first; [] if there is no file.

        Raises ConfigError for an invalid file.
        """
        try:
            text = read_bounded(self.path, MOST_BYTES)
        except SourceError:
            if not self.path.exists():
                return []
            raise
        try:
            value = json.loads(text)
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']!r} needs a newer version of Twindex")
            return [_parsed(one) for one in value["keys"]]
        except (ValueError, KeyError, TypeError, InvalidInputError) as error:
            raise ConfigError(
                f"{self.path}: is not a valid file of keys ({error}); restore it from a copy, or "
                "remove it and create all keys again"
            ) from None

    def add(self, key: Key, by: str | None = None) -> None:
        """Add a key. by: id of the key that adds it; None: the operator does.

        Raises RevokedError if the key `by` is no longer valid, and InvalidInputError if the file
        would become too large.
        """
        with self._changing(by) as keys:
            if len(keys) >= MOST_KEYS:
                raise InvalidInputError(f"a file has at most {MOST_KEYS:,} keys")
            keys.append(key)

    def revoke(self, key_id: str, by: str | None = None) -> Key:
        """Revoke a key and return it. by: as for `add`.

        Raises NotFoundError for an unknown id, and RevokedError if the key `by` is no longer valid.
        """
        with self._changing(by) as keys:
            for i, key in enumerate(keys):
                if key.id == key_id:
                    if key.revoked is None:
                        keys[i] = key = replace(key, revoked=round(time.time(), 3))
                    return key
            raise NotFoundError(f"no key {key_id!r}; `twindex keys list` shows the ids")

    @contextmanager
    def _changing(self, by: str | None = None) -> Iterator[list[Key]]:
        """Return a context manager for a change of the list of keys, which is stored at the end."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            with exclusive(lock, wait=True):
                keys = self.read()
                # The body of a request may have come long after its key was checked.
                if by is not None and not any(
                    key.id == by and key.state(time.time()) == "valid" for key in keys
                ):
                    raise RevokedError(f"the key {by} is no longer valid")
                yield keys
                self._write(keys)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written ({error.strerror})") from error

    def _write(self, keys: list[Key]) -> None:
        text = json.dumps({"format": FORMAT, "keys": [asdict(key) for key in keys]}, indent=1)
        if len(text) > MOST_BYTES:  # The text is ASCII.
            raise InvalidInputError(
                f"the file of keys would have more than {MOST_BYTES:,} bytes, and could not be "
                "read; use shorter filters"
            )
        new = self.path.with_name(f"{self.path.name}.new")
        # Only the owner of the file may read it.
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)
        sync_directory(self.path.parent)


def _parsed(value: Mapping[str, Any]) -> Key:
    given = dict(value)
    for name in ("scopes", "collections"):
        given[name] = tuple(given[name])
    key = Key(**{**given, "limits": Limits(**given["limits"])})
    key.condition()
    return key
