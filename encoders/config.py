"""What the configuration of every encoder has, and the kinds of encoder that there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

from ..core import Config, ConfigError
from ..core.config import Device
from ..core.kinds import Kinds, named
from ..llm.fake import NAME
from .protocol import Encoder, Gives


class EncoderConfig(Config):
    """The configuration of an encoder: which one, and all that its representations depend on.

    made_by:   what makes the encoder of its configuration, as "module:name"; ".module:name" is
               beside the configuration. It is imported when an encoder is loaded.
    faked_by:  the same for the model "fake"; None = there is no fake, or `made_by` makes it.
    gives:     parts of a `Representation` that the encoder fills: "dense", "sparse" or "terms".
    models:    fields that name a model -> where the fingerprint has the digest of its weights. A
               request may name only models that the operator allows.
    per_token: a text has a vector for each of its tokens.
    flags:     fields whose flags on the command line have another name than they.
    """

    made_by: ClassVar[str]
    faked_by: ClassVar[str | None] = None
    gives: ClassVar[frozenset[Gives]]
    models: ClassVar[Mapping[str, str]] = {"model": "weights"}
    per_token: ClassVar[bool] = False
    flags: ClassVar[Mapping[str, str]] = {}

    kind: str

    def load(self) -> Encoder:
        """The encoder. Raises ConfigError for options that cannot be used and ModelError for a
        model that cannot be found or read. Takes long where it imports torch."""
        reference = self.made_by
        if getattr(self, "model", None) == NAME:
            self.check_fake()
            reference = self.faked_by or reference
        encoder: Encoder = named(reference, type(self))(self)
        return encoder

    def check_fake(self) -> None:
        """Raise ConfigError for options that mean nothing without a model."""
        if getattr(self, "revision", None) is not None:
            raise ConfigError('"fake" has no revisions', field="revision")
        if getattr(self, "precision", "float32") != "float32":
            raise ConfigError('"fake" computes in float32', field="precision")

    @property
    def many(self) -> bool:
        """A text may have several vectors, scored by MaxSim."""
        return self.per_token

    @property
    def label(self) -> str:
        """What tells people which encoder this is: the name of its model, without its folder."""
        model = str(getattr(self, "model", self.kind))
        return os.path.basename(model) if os.path.isabs(model) else model

    def on(self, device: Device) -> Self:
        """The same encoder on another device, which no representation depends on."""
        if "device" not in type(self).model_fields:
            return self
        return self.model_copy(update={"device": device})


ENCODERS = Kinds(EncoderConfig, "encoder", "twindex.encoders")
"""The kinds of encoders."""

EncoderLoader = Callable[[EncoderConfig], Encoder]
"""How an encoder is got from its configuration: `load_encoder`, or what a test puts in place."""
