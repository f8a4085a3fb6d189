"""Where a wanted configuration is not that of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import ConfigError
from ..index import CollectionConfig, Store
from ..index.models import absolute, same_models


def differing(store: Store, wanted: CollectionConfig) -> ConfigError | None:
    """An error that names the first field whose values differ, or None when there is none.

    The devices of encoders do not count, as no stored representation depends on them, nor do names
    of models that have the stored weights.
    """
    stored = absolute(store.config)
    wanted = same_models(wanted, stored, store.fingerprints())
    difference = _first(_comparable(stored), _comparable(wanted), "")
    if difference is None:
        return None
    field, here, asked = difference
    return ConfigError(
        f"is {here} in this collection, got {asked}; give its own configuration or none, change "
        "how vectors are stored with `reconfigure`, or use another folder",
        field=field,
    )


def _comparable(config: CollectionConfig) -> dict[str, Any]:
    legs = {
        name: leg.model_copy(update={"encoder": leg.encoder.on("auto")})
        for name, leg in config.legs.items()
    }
    return config.model_copy(update={"legs": legs}).model_dump(mode="json")


def _first(stored: Any, wanted: Any, place: str) -> tuple[str, str, str] | None:
    """(path, stored value, wanted value) of the first difference of two JSON values."""
    if isinstance(stored, Mapping) and isinstance(wanted, Mapping):
        for name in dict.fromkeys([*wanted, *stored]):
            inner = f"{place}.{name}" if place else name
            found = _first(stored.get(name, _ABSENT), wanted.get(name, _ABSENT), inner)
            if found is not None:
                return found
        return None
    return None if stored == wanted else (place, _shown(stored), _shown(wanted))


_ABSENT = object()


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    return "configured otherwise" if isinstance(value, (Mapping, list)) else repr(value)
