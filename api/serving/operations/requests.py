"""The bodies of requests for aliases and restorations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ....core import Config
from ....core.kinds.one_of import OneOf
from ....index import LEGS, CollectionConfig, LegConfig
from ....index.legs import LEG_NAME

Name = Annotated[str, Field(min_length=1, max_length=64)]


class AliasAction(Config):
    """One change of an alias.

    action:     "set": create the alias, or move it to another collection; "delete": delete it.
    alias:      name of the alias: 1 to 64 letters, digits, - and _.
    collection: the collection that the alias then means; only for "set".
    """

    action: Literal["set", "delete"]
    alias: Name
    collection: Name | None = None

    @model_validator(mode="after")
    def _has_its_fields(self) -> AliasAction:
        if self.action == "set" and self.collection is None:
            raise ValueError('the action "set" requires the field `collection`')
        if self.action == "delete" and self.collection is not None:
            raise ValueError('the action "delete" does not accept the field `collection`')
        return self


class AliasRequest(Config):
    """A request to change aliases, all or none.

    actions: the changes. An alias may occur in one of them only.
    """

    actions: Annotated[list[AliasAction], Field(min_length=1, max_length=1_000)]


class RestoreRequest(Config):
    """A request to restore a snapshot as a new collection.

    collection: collection that the snapshot is of; None: one with the name of the new collection.
    snapshot:   name of the snapshot; None: the newest.
    """

    collection: Name | None = None
    snapshot: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class ReembedRequest(Config):
    """A request to encode the documents of a collection again.

    legs: leg name -> the leg's new configuration; null removes the leg. Legs that are left out keep
          their configuration.
    """

    legs: Annotated[
        dict[Annotated[str, Field(pattern=LEG_NAME)], Annotated[LegConfig, OneOf(LEGS)] | None],
        Field(min_length=1),
    ]

    def applied(self, config: CollectionConfig) -> CollectionConfig:
        """Return `config` with these legs. Raises ConfigError if no leg is left."""
        legs: dict[str, object] = {**config.legs, **self.legs}
        kept = {name: leg for name, leg in legs.items() if leg is not None}
        return CollectionConfig.parse({**dict(config), "legs": kept})
