"""The models that requests may name.

A request must not choose what the server reads from its disk or fetches from the network, nor learn
from an error what is there. So it may name only: the models of the collections and rerankers that
are served, installed packages of weights, what is in the local cache of the hub, and what the
operator lists (`--models`). A folder is never looked up by a name that a request gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core import ConfigError, ModelError
from ...encoders import ENCODERS, EncoderConfig
from ...encoders.model_paths import named
from ...index import CollectionConfig
from ...llm import WHEELS
from ...llm.fake import NAME as FAKE
from ...llm.weights.places import find_named, local_path, shown


class AllowedModels:
    """listed: names and folders that the operator allows. configured: gives the configurations that
    are served at present. Raises ConfigError for a listed path without anything there."""

    def __init__(
        self, listed: Sequence[str], configured: Callable[[], Iterable[Mapping[str, Any]]]
    ) -> None:
        self._configured = configured
        self._listed: dict[str, str] = {}
        for name in listed:
            self._listed.update(_spellings(name))

    def resolved(self, config: CollectionConfig) -> CollectionConfig:
        """The same with listed folders by their paths, however the request spells them."""
        legs = {
            name: leg.model_copy(update={"encoder": self._resolved(leg.encoder)})
            for name, leg in config.legs.items()
        }
        return config.model_copy(update={"legs": legs})

    def check(self, config: CollectionConfig) -> None:
        """Raise ConfigError, which names the field, for a model that requests may not name. The
        error is the same whether there is such a model or not."""
        for name, leg in config.legs.items():
            for field, model in named(leg.encoder):
                if not self._allows(model, getattr(leg.encoder, "revision", None)):
                    raise ConfigError(
                        f"{shown(model)} is not a model that this server allows; allowed are "
                        f"{', '.join(self._names())}, and what is in the server's cache of the "
                        "hub. The operator allows others with `twindex serve --models`",
                        field=f"legs.{name}.encoder.{field}",
                    )

    def _resolved(self, encoder: EncoderConfig) -> EncoderConfig:
        update = {field: self._listed.get(model, model) for field, model in named(encoder)}
        return encoder.model_copy(update=update)

    def _allows(self, name: str, revision: str | None) -> bool:
        if name == FAKE or name in self._listed or name in set(self._served()):
            return True
        try:
            if local_path(name) is not None:
                return False
        except ModelError:
            return False
        # A package that is not installed is not a secret: loading says how to install it.
        bare = name.removeprefix("sentence-transformers/")
        return bare in WHEELS or find_named(name, revision=revision) is not None

    def _served(self) -> Iterator[str]:
        fields = {field for kind in ENCODERS.classes().values() for field in kind.models}
        for configuration in self._configured():
            for one in objects(configuration):
                yield from (
                    value for key, value in one.items() if key in fields and isinstance(value, str)
                )

    def _names(self) -> list[str]:
        """What may be named, folders without their place."""
        return sorted({*WHEELS, *(Path(name).name for name in self._listed)})


def _spellings(name: str) -> dict[str, str]:
    """How requests may spell a listed model -> how it is stored."""
    try:
        folder = local_path(name)
    except ModelError as error:
        raise ConfigError(str(error), field="models") from None
    if folder is not None:
        return dict.fromkeys((name, str(folder), folder.name), str(folder))
    if name.startswith(("/", ".", "~")):
        raise ConfigError(f"{name!r} is not there", field="models")
    return {name: name}


def objects(value: Any) -> Iterator[Any]:
    """All objects inside a value as JSON has it, and the value itself if it is one."""
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from objects(inner)
