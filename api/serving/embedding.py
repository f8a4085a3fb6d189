"""Embeddings of texts by the encoders of the open collections. No other model is ever used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, Representation, Role
from ...core.errors import shown
from ...core.near import did_you_mean
from ...encoders import Encoder, EncoderConfig
from .access.seen import Seen
from .limits.deadline import Deadline
from .problems import unknown_model
from .served import Served

Part = Literal["dense", "sparse"]
"""Kind of vectors: a part of a `Representation`."""

_WORD = re.compile(r"\w+")
_PIECE = 256
"""Number of texts whose tokens are counted between two checks of the deadline."""


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """Texts to embed.

    model:      name of an encoder of an open collection, or `collection/leg`, also by an alias.
    part:       kind of vectors.
    role:       whether the texts are queries or documents.
    dimensions: keep this many of the first dimensions, and scale vectors to length 1; None: all.
                Only for encoders that are trained so that the first dimensions suffice.
    truncate:   True: an encoder may cut off the end of a text. False: such a text is an error.
    field:      name of the field with the texts, for errors.
    dimensions_field: name of the field with the dimensions, for errors.
    cutting:    how a request allows to cut off the end of a text, for errors.
    """

    model: str
    texts: Sequence[str]
    part: Part = "dense"
    role: Role = "document"
    dimensions: int | None = None
    truncate: bool = False
    field: str = "input"
    dimensions_field: str = "dimensions"
    cutting: str = '`truncate` to "end"'


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of the texts of a task.

    vectors: the representation; its part of the task is set.
    tokens:  number of tokens of each text that the encoder read, or of words for an encoder without
             a tokenizer.
    encoder: the encoder.
    """

    vectors: Representation
    tokens: list[int]
    encoder: Encoder

    @property
    def dense(self) -> NDArray[np.float32]:
        """The dense vectors, float32 [texts, dimensions]."""
        assert self.vectors.dense is not None
        return self.vectors.dense

    def sparse_vectors(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """Yield (indices, weights) of the sparse vector of each text. Weights of 0 are left out."""
        matrix = self.vectors.sparse
        assert matrix is not None
        for first, last in pairwise(matrix.indptr.tolist()):
            values = matrix.data[first:last]
            kept = values > 0
            yield matrix.indices[first:last][kept], values[kept]


@dataclass(frozen=True, slots=True)
class ServedEncoder:
    """An encoder of one or more open collections.

    name:    short name. Encoders with other options of the same model have the same one.
    kind:    kind of the encoder, such as "dense".
    config:  configuration, with the device "auto".
    legs:    the legs that use it, as (collection, leg).
    matryoshka: True if a leg configures that the first dimensions of its vectors suffice.
    """

    name: str
    kind: str
    config: EncoderConfig
    legs: list[tuple[Served, str]]
    matryoshka: bool

    @property
    def places(self) -> list[str]:
        """The legs that use the encoder, as `collection/leg`, sorted."""
        return sorted(f"{served.name}/{leg}" for served, leg in self.legs)

    def fills(self, part: Part) -> bool:
        """Return True if the encoder returns one vector of this kind for each text."""
        return part in self.config.fills and not self.config.many and self.config.encodes_text


def served_encoders(service: Seen, model: str | None = None) -> list[ServedEncoder]:
    """Return the encoders of the open collections, sorted by name. Equal ones are listed once.

    model: only the encoders with this name, or of the leg with this place; None: all.
    """
    model = None if model is None else place_of(service, model)
    found: dict[tuple[str, str], ServedEncoder] = {}
    for served in service.known():
        if served.collection is None:
            continue
        for leg, config in served.collection.config.legs.items():
            if model not in (None, served.encoders[leg], f"{served.name}/{leg}"):
                continue
            plain = config.encoder.on("auto")
            projection = getattr(config, "projection", None)
            matryoshka = getattr(projection, "kind", None) == "matryoshka"
            name, key = served.encoders[leg], (served.encoders[leg], plain.model_dump_json())
            before = found.get(key)
            legs = [*(before.legs if before else ()), (served, leg)]
            matryoshka = matryoshka or (before is not None and before.matryoshka)
            found[key] = ServedEncoder(name, plain.kind, plain, legs, matryoshka)
    return [found[key] for key in sorted(found)]


def place_of(service: Seen, model: str) -> str:
    """Return `ALIAS/LEG` as `COLLECTION/LEG`, and any other name of a model as it is."""
    name, slash, leg = model.partition("/")
    return f"{service.aliases().get(name, name)}{slash}{leg}" if slash else model


def distinct_names(encoders: Sequence[ServedEncoder]) -> list[str]:
    """Return a name for each encoder that requests can use: its short name if no other has it.

    The name of another encoder is its first leg, as `collection/leg`.
    """
    short = Counter(one.name for one in encoders)
    return [one.name if short[one.name] == 1 else one.places[0] for one in encoders]


def find_encoder(service: Seen, model: str, part: Part) -> ServedEncoder:
    """Return the encoder with this name, or of this leg.

    Raises Problem 404 if no open collection has it, and InvalidInputError if the name stands for
    several encoders, or for one that returns other vectors.
    """
    named = served_encoders(service, model)
    if not named:
        known = distinct_names([one for one in served_encoders(service) if one.fills(part)])
        near = did_you_mean(model, known) or f"; the models are {', '.join(known) or 'none'}"
        raise unknown_model(f"no encoder {shown(model)} in the open collections{near}")
    fitting = [one for one in named if one.fills(part)]
    if not fitting:
        raise InvalidInputError(_unfit(named[0], part), field="model")
    if len(fitting) > 1:
        places = ", ".join(one.places[0] for one in fitting)
        raise InvalidInputError(
            f"{model!r} is the name of several encoders with other options; name a leg instead: "
            f"{places}",
            field="model",
        )
    return fitting[0]


def _unfit(encoder: ServedEncoder, part: Part) -> str:
    if not encoder.config.encodes_text:
        return f"{encoder.name!r} encodes no text, because its vectors come with the documents"
    if encoder.config.many:
        return f"{encoder.name!r} returns several vectors for a text; choose an encoder with one"
    return f"{encoder.name!r} ({encoder.kind}) returns no {part} vectors; choose another model"


def embed(service: Seen, task: EmbedTask, deadline: Deadline) -> Embedded:
    """Embed texts, in a thread. The deadline is checked after each batch of the encoder.

    The usage of an encoder that is a language model is added to that of its collection. If several
    collections use the encoder, it is the first of them, or the one that the task names.

    Raises the errors of `find_encoder`, and InvalidInputError for a text that is too long and for
    dimensions that the encoder does not support. The field of such an error is one
    of the fields of the task.
    """
    found = find_encoder(service, task.model, task.part)
    served, leg = found.legs[0]
    collection = served.ready()[0]
    encoder = collection.encoder(leg)
    if task.dimensions is not None:
        _check_dimensions(found, encoder, task, task.dimensions)
    tokens, limit = _tokens(encoder, task, deadline)
    vectors = encoder.encode(task.texts, role=task.role, advance=lambda _: deadline.check())
    collection.add_usage(vectors.usage)
    if not task.truncate and vectors.truncated is not None and vectors.truncated.any():
        first = int(np.argmax(vectors.truncated))
        raise _too_long(task, first, tokens[first], limit)
    if task.dimensions is not None and vectors.dense is not None:
        cut = _shortened(vectors.dense, task.dimensions)
        vectors = Representation(dense=cut, truncated=vectors.truncated)
    return Embedded(vectors, [n if limit is None else min(n, limit) for n in tokens], encoder)


def _tokens(encoder: Encoder, task: EmbedTask, deadline: Deadline) -> tuple[list[int], int | None]:
    """Return the number of tokens of each text, and how many the encoder reads of a document.

    Raises InvalidInputError for a document that is too long, before any text is encoded.
    """
    reader = getattr(encoder, "reader", None)
    if reader is None:
        return [len(_WORD.findall(text)) for text in task.texts], None
    counts: list[int] = []
    for first in range(0, len(task.texts), _PIECE):
        deadline.check()
        counts += reader.lengths(task.texts[first : first + _PIECE])
    if not task.truncate and task.role == "document":
        for i, count in enumerate(counts):
            if count > reader.limit:
                raise _too_long(task, i, count, reader.limit)
    return counts, reader.limit


def _too_long(task: EmbedTask, index: int, tokens: int, limit: int | None) -> InvalidInputError:
    read = "" if limit is None else f", and the encoder reads {limit}"
    return InvalidInputError(
        f"has about {tokens} tokens{read}; shorten the text, or set {task.cutting}",
        field=f"{task.field}[{index}]",
    )


def _check_dimensions(
    found: ServedEncoder, encoder: Encoder, task: EmbedTask, dimensions: int
) -> None:
    own = getattr(encoder, "dimensions", None)
    width = own.get("dense") if isinstance(own, Mapping) else own
    if dimensions == width:
        return
    if not found.matryoshka:
        raise InvalidInputError(
            f"{found.name!r} has {width} dimensions, and no leg configures it with the projection "
            '"matryoshka"; leave this field out',
            field=task.dimensions_field,
        )
    if width is None or dimensions > width:
        raise InvalidInputError(
            f"must be at most {width}, got {dimensions}", field=task.dimensions_field
        )


def _shortened(dense: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Return the first dimensions of vectors, scaled to length 1. A zero vector stays zero."""
    cut = dense[:, :dimensions]
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    lengths[lengths == 0] = 1.0
    scaled: NDArray[np.float32] = np.ascontiguousarray(cut / lengths, dtype=np.float32)
    return scaled
