"""Checks of the field `like` of a search request against a collection."""

from __future__ import annotations

from collections.abc import Sequence

from ....core import InvalidInputError
from ....core.filters import And, Condition, Not, parse_filter
from ....index import CollectionConfig, DenseLeg, LexicalLeg, Store, require
from ...arranging.like import LikeRequest
from ...request import LegRequest


def liked_legs(config: CollectionConfig) -> list[str]:
    """Return the legs that search for documents like others: those with one vector for each text.

    Raises InvalidInputError if the collection has none.
    """
    names = [n for n, leg in config.legs.items() if leg.role == "search" and not leg.multi]
    if not names:
        raise InvalidInputError(
            "requires a leg with one vector for each text, and this collection has none; search "
            "for a text instead (`query`)",
            field="like",
        )
    return names


def check_liked_leg(config: CollectionConfig, leg: str, field: str) -> None:
    """Raise InvalidInputError for a leg with several vectors for each text."""
    if config.legs[leg].multi:
        raise InvalidInputError(
            f"leg {leg!r} has several vectors for each text, of which `like` makes no query; "
            "remove the leg",
            field=field,
        )


def require_liked(store: Store, legs: Sequence[LegRequest]) -> None:
    """Raise UnsupportedByStoreError if the store does not return what `like` reads."""
    for leg in legs:
        config = store.config.legs[leg.name]
        if isinstance(config, LexicalLeg):
            continue
        require(store, "vectors", "like")
        if not isinstance(config, DenseLeg):
            require(store, "explain", "like")


def without_liked(where: Condition | None, like: LikeRequest) -> Condition:
    """Return a condition that the liked and disliked documents do not meet."""
    named = parse_filter({"id": {"in": [*like.ids, *like.unlike]}})
    assert named is not None, "the filter is not empty"
    return Not(named) if where is None else And((where, Not(named)))
