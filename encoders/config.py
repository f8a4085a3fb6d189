"""The base class of encoder configurations, and the registry of encoder kinds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

from ..core import Config, ConfigError
from ..core.config import Device
from ..core.kinds import Kinds, named, on_device
from ..llm.fake import NAME
from ..llm.weights.places import check_path
from .protocol import Encoder, Gives


class EncoderConfig(Config):
    """The configuration of an encoder: its kind and every option that its output depends on.

    made_by:   "module:name" of the callable that creates the encoder from its configuration.
               ".module:name" is relative to the configuration's package. The module is imported
               when an encoder is loaded.
    faked_by:  "module:name" of the callable that creates the fake encoder: an encoder without a
               model, for tests, which the configuration `model="fake"` selects. None: `made_by`
               creates the fake encoder too, or this kind of encoder has no fake one.
    gives:     parts of a `Representation` that the encoder fills: "dense", "sparse" or "terms".
    models:    configuration field with the name of a model -> key in the fingerprint under which
               the digest of this model's weights is stored. In a request to the server, these
               fields may name only models that the operator allows.
    per_token: True if a text has one vector for each of its tokens.
    flags:     configuration field -> command-line flag that sets it. Contains only the fields
               whose flag has another name than the field.
    encodes_text: False if the encoder encodes no text, because its vectors come with the documents
               and queries.
    pairs:     False if the encoder may not be one of the two encoders of a `PairEncoderConfig`.
    """

    made_by: ClassVar[str]
    faked_by: ClassVar[str | None] = None
    gives: ClassVar[frozenset[Gives]]
    models: ClassVar[Mapping[str, str]] = {"model": "weights"}
    per_token: ClassVar[bool] = False
    flags: ClassVar[Mapping[str, str]] = {}
    encodes_text: ClassVar[bool] = True
    pairs: ClassVar[bool] = True

    kind: str

    def load(self) -> Encoder:
        """Load the encoder. This is slow if it has to import torch.

        Raises ConfigError for options that cannot be used and ModelError for a model that cannot be
        found or read.
        """
        reference = self.made_by
        if getattr(self, "model", None) == NAME:
            self.check_fake()
            reference = self.faked_by or reference
        else:
            for field in self.models:  # A missing folder is an error before torch is imported.
                if name := getattr(self, field, None):
                    check_path(name)
        encoder: Encoder = named(reference, type(self))(self)
        return encoder

    def check_fake(self) -> None:
        """Raise ConfigError if a revision or a precision other than "float32" is configured.

        The model "fake" supports neither.
        """
        if getattr(self, "revision", None) is not None:
            raise ConfigError(
                'the model "fake" has no revisions: leave out the revision, or name a real model',
                field="revision",
            )
        if getattr(self, "precision", "float32") != "float32":
            raise ConfigError(
                'must be "float32" for the model "fake", which has no other precision',
                field="precision",
            )

    @property
    def many(self) -> bool:
        """True if the encoder may return several vectors for a text. MaxSim then scores them."""
        return self.per_token

    @property
    def fills(self) -> frozenset[Gives]:
        """Parts of a `Representation` that the encoder fills with this configuration."""
        return self.gives

    @property
    def inner(self) -> Mapping[str, EncoderConfig]:
        """The encoders that this encoder consists of: field -> configuration. Most have none."""
        return {}

    @property
    def label(self) -> str:
        """A short name for display: the model's name without its folder, or the kind if unnamed."""
        model = str(getattr(self, "model", self.kind))
        return os.path.basename(model) if os.path.isabs(model) else model

    def on(self, device: Device) -> Self:
        """Return a copy of the configuration whose encoder runs on `device`.

        An encoder returns the same representations on every device. A configuration without a
        field `device` is returned unchanged.
        """
        return on_device(self, device)


ENCODERS = Kinds(EncoderConfig, "encoder", "twindex.encoders")
"""The registered kinds of encoders."""

EncoderLoader = Callable[[EncoderConfig], Encoder]
"""A function that loads an encoder: `load_encoder`, or a substitute in tests."""
