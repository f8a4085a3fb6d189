"""Compares a requested configuration with the configuration of an existing collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import ConfigError
from ..index import CollectionConfig, Store
from ..index.models import absolute, same_models


def config_difference(store: Store, wanted: CollectionConfig) -> ConfigError | None:
    """Return a ConfigError for the first field that differs between `wanted` and the store.

    Returns None if no field differs. Ignores the devices of encoders, because stored vectors do not
    depend on the device. Also ignores the name of a model if its weights are those that the
    collection was built with.
    """
    stored = absolute(store.config)
    wanted = same_models(wanted, stored, store.fingerprints())
    difference = _first_difference(_comparable(stored), _comparable(wanted), "")
    if difference is None:
        return None
    field, here, requested = difference
    return ConfigError(
        f"is {here} in this collection, got {requested}; pass the collection's own configuration "
        "or none, change how vectors are stored with `reconfigure`, or use another folder",
        field=field,
    )


def _comparable(config: CollectionConfig) -> dict[str, Any]:
    legs = {
        name: leg.model_copy(update={"encoder": leg.encoder.on("auto")})
        for name, leg in config.legs.items()
    }
    return config.model_copy(update={"legs": legs}).model_dump(mode="json")


def _first_difference(stored: Any, wanted: Any, path: str) -> tuple[str, str, str] | None:
    """Return (path, stored value, wanted value) of the first difference between two JSON values.

    path: path of `stored` and `wanted` in the whole configuration, such as "legs.dense".

    Returns None if the values are equal.
    """
    if isinstance(stored, Mapping) and isinstance(wanted, Mapping):
        for name in dict.fromkeys([*wanted, *stored]):
            inner = f"{path}.{name}" if path else name
            found = _first_difference(stored.get(name, _ABSENT), wanted.get(name, _ABSENT), inner)
            if found is not None:
                return found
        return None
    return None if stored == wanted else (path, _shown(stored), _shown(wanted))


_ABSENT = object()


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, Mapping) else repr(value)
