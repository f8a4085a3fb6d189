"""Names of collections and aliases: which are valid, free or in use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ....core import ConfigError, ConflictError, InvalidInputError, NotFoundError
from ....core.errors import shown
from ....index.store.database.database import FILE_NAME
from ..served import identity, unreadable
from .aliases import Aliases

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
RULE = "use 1 to 64 letters, digits, - and _, beginning with a letter or digit"


class NoCollectionError(NotFoundError):
    """There is no collection of a name."""


class Names:
    """The names of the collections in the folder `root`, and their aliases.

    single: True if `root` itself is the only collection.
    """

    def __init__(self, root: Path, *, single: bool) -> None:
        if single and not NAME.fullmatch(root.name):
            raise ConfigError(f"{root.name!r} is not a valid name of a collection; {RULE}")
        self._root = root
        self._single = single
        self.aliases = Aliases(root)

    def path(self, name: str) -> Path:
        """Return the folder of the collection `name`. Raises NotFoundError for an invalid name."""
        if self._single and name == self._root.name:
            return self._root
        if self._single or not NAME.fullmatch(name):
            raise self.absent(name)
        return self._root / name

    def folders(self) -> Iterator[Path]:
        """Yield the folders of collections, and unreadable folders that may contain one."""
        if self._single:
            yield self._root
            return
        for path in sorted(self._root.iterdir()):
            if not path.name.startswith("."):
                if unreadable(path) is None:
                    if (path / FILE_NAME).is_file():
                        yield path
                elif NAME.fullmatch(path.name):
                    yield path

    @staticmethod
    def absent(name: str) -> NoCollectionError:
        """Return the error for a name without a collection. It suggests no other name."""
        return NoCollectionError(f"no collection {shown(name)}")

    def check_new(self, name: str, *, exists: bool = False) -> None:
        """Raise an error if no collection may be created with this name.

        exists: True: accept the name of a collection that exists.
        """
        if not NAME.fullmatch(name):
            raise InvalidInputError(RULE, field="collection")
        if self._single:
            raise ConflictError(
                "a server of a single collection cannot create others; serve the parent folder"
            )
        if (target := self.aliases.all().get(name)) is not None:
            raise ConflictError(
                f"{name!r} is an alias of the collection {target!r}; delete the alias or choose "
                "another name"
            )
        if not exists and identity(self.path(name)) is not None:
            raise ConflictError(
                f"collection {name!r} exists; choose another name, or delete it first"
            )

    def check_deletable(self, name: str) -> None:
        """Raise ConflictError for an alias, and for a collection that has aliases."""
        if self._single:
            raise ConflictError(
                "a server of a single collection cannot delete it; serve the parent folder"
            )
        if (target := self.aliases.all().get(name)) is not None:
            raise ConflictError(
                f"{name!r} is an alias of the collection {target!r}; name the collection, or "
                f"delete the alias with DELETE /v1/aliases/{name}"
            )
        if own := self.aliases.of(name):
            raise ConflictError(
                f"collection {name!r} has the alias {', '.join(map(repr, own))}; delete or move "
                "the alias first"
            )

    def change_aliases(self, actions: Sequence[tuple[str, str | None]]) -> Mapping[str, str]:
        """Set and delete aliases, all or none; see `Aliases.change`.

        Raises NotFoundError for an unknown collection, and ConflictError for an alias that is the
        name of a collection.
        """
        return self.aliases.change(actions, self._check_alias)

    def _check_alias(self, alias: str, collection: str, place: str) -> None:
        if not NAME.fullmatch(alias):
            raise InvalidInputError(RULE, field=f"{place}.alias")
        taken = self._root.name == alias if self._single else identity(self._root / alias)
        if alias == collection or taken:
            raise ConflictError(f"{place}.alias: there is a collection {alias!r}; choose another")
        if identity(self.path(collection)) is None:
            raise self.absent(collection)
