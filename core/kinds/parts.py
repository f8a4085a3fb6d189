"""Base of the configurations of parts that requests can name, such as rerankers and generators."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from ..config import Config, Device
from .registry import named

T = TypeVar("T")


class PartConfig(Config):
    """Base of the configurations of parts that requests can name.

    made_by: class or function that creates the part, as "module:name", or ".module:name" relative
             to the configuration's package. The module is imported when a part is loaded.
    """

    made_by: ClassVar[str]

    kind: str

    def load(self) -> Any:
        """Load the part and its models. Raises the errors of `load_part`."""
        return self.make()

    def make(self) -> Any:
        """Create the part with the class or function in `made_by`."""
        return named(self.made_by, type(self))(self)

    def on(self, device: Device) -> Self:
        """Return a copy of the configuration that loads its models on `device`."""
        return on_device(self, device)


def load_part(config: PartConfig, *, device: Device | None = None) -> Any:
    """Load a part, such as a reranker, and its models.

    device: device of the models. None: the device that the configuration names.

    Raises ConfigError for an option that is not supported, and ModelError for a model that cannot
    be loaded. Uses the network only to call a server that the configuration names, or to download
    weights if the environment sets TWINDEX_ALLOW_DOWNLOAD=1.
    """
    return (config if device is None else config.on(device)).load()


def on_device(value: T, device: Device) -> T:
    """Return a copy of a value whose fields `device` have the value `device`, at every depth.

    value: a configuration, or a value of one of its fields.
    """
    if isinstance(value, Config):
        changed = {
            name: device if name == "device" else on_device(getattr(value, name), device)
            for name in type(value).model_fields
        }
        return value.model_copy(update=changed)
    if isinstance(value, tuple) and any(isinstance(one, Config) for one in value):
        return type(value)(on_device(one, device) for one in value)
    return value
