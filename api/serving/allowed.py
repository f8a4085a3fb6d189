"""The models that requests may use, for example as the encoder of a new collection.

A request must not choose what the server reads from its disk or downloads, and an error must not
show what is on the disk. A request may use only:

- the models of the served collections, rerankers, generators and rewriters,
- installed packages of weights,
- models in the local cache of the Hugging Face hub, and
- models that the operator names with `--models`.

The server never opens a folder because a request contains the path of the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core import ConfigError, ModelError
from ...encoders import ENCODERS, EncoderConfig
from ...encoders.model_paths import named, replace_models, revision_of
from ...index import CollectionConfig
from ...llm import WHEELS
from ...llm.fake import NAME as FAKE
from ...llm.weights.places import find_named, local_path, shown


class AllowedModels:
    """The models that requests may use.

    listed:     names and folders of models that the operator allows with `--models`.
    configured: returns the configurations of the served collections and of parts such as rerankers.
                Their models are allowed too.

    Raises ConfigError for a path in `listed` that does not exist.
    """

    def __init__(
        self, listed: Sequence[str], configured: Callable[[], Iterable[Mapping[str, Any]]]
    ) -> None:
        self._configured = configured
        self._listed: dict[str, str] = {}
        for name in listed:
            self._listed.update(_spellings(name))

    def resolved(self, config: CollectionConfig) -> CollectionConfig:
        """Return the configuration with names of folders in `listed` replaced by full paths."""
        legs = {
            name: leg.model_copy(update={"encoder": self._resolved(leg.encoder)})
            for name, leg in config.legs.items()
        }
        return config.model_copy(update={"legs": legs})

    def check(self, config: CollectionConfig) -> None:
        """Raise ConfigError, with the field, if `config` has a model that requests may not use.

        The error is the same whether the model exists on this machine or not.
        """
        for name, leg in config.legs.items():
            for field, model in named(leg.encoder):
                if not self._allows(model, revision_of(field, leg.encoder)):
                    raise ConfigError(
                        f"{shown(model)} is not a model that this server allows; use "
                        f"{', '.join(self._names())}, or a model in the server's Hugging Face "
                        "cache. The operator can allow others with `twindex serve --models`",
                        field=f"legs.{name}.encoder.{field}",
                    )

    def _resolved(self, encoder: EncoderConfig) -> EncoderConfig:
        update = {field: self._listed.get(model, model) for field, model in named(encoder)}
        return replace_models(encoder, update)

    def _allows(self, name: str, revision: str | None) -> bool:
        if name == FAKE or name in self._listed or name in set(self._served()):
            return True
        try:
            if local_path(name) is not None:
                return False
        except ModelError:
            return False
        # Also allow packages that are not installed: the later error says how to install them.
        bare = name.removeprefix("sentence-transformers/")
        return bare in WHEELS or find_named(name, revision=revision) is not None

    def _served(self) -> Iterator[str]:
        kinds = ENCODERS.classes()
        every = {field for kind in kinds.values() for field in kind.models}
        for configuration in self._configured():
            for one in objects(configuration):
                # The `model` of an external encoder is a free text, not the name of a model.
                kind = kinds.get(str(one.get("kind")))
                fields = every if kind is None else set(kind.models)
                yield from (
                    value for key, value in one.items() if key in fields and isinstance(value, str)
                )

    def _names(self) -> list[str]:
        """Return names of allowed models for an error message: folders without their parents."""
        return sorted({*WHEELS, *(Path(name).name for name in self._listed)})


def _spellings(name: str) -> dict[str, str]:
    """Return name that a request may use for a model -> name that configurations store.

    name: the model's name or folder, as the operator wrote it.
    """
    try:
        folder = local_path(name)
    except ModelError as error:
        raise ConfigError(str(error), field="models") from None
    if folder is not None:
        return dict.fromkeys((name, str(folder), folder.name), str(folder))
    if name.startswith(("/", ".", "~")):
        raise ConfigError(
            f"{name!r} does not exist; give an existing folder or the name of a model",
            field="models",
        )
    return {name: name}


def objects(value: Any) -> Iterator[Any]:
    """Yield all objects inside a JSON value, and the value itself if it is an object."""
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from objects(inner)
