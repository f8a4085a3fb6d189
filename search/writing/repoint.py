"""Store a new location of a model in a collection, after the model's folder has moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...core.arguments import checked
from ...index import LocalStore
from ...index import repoint as move_models
from .. import parameters


@checked(**parameters.REPOINT)
def repoint(path: Path | str, model: Path | str, *, legs: Sequence[str] | None = None) -> list[str]:
    """Store the new location of a model in a collection. Return the legs that use the model.

    path: folder of the collection.
    model: new folder or name of the model.
    legs: names of legs to change. None: every leg whose vectors were computed with the weights of
        `model`. A leg without documents accepts any weights, but only if `legs` names the leg.

    The change is durable on return. A Collection that is already open keeps its loaded models;
    reopen it if a model was missing.

    Raises EncoderMismatchError if a leg's vectors were computed with other weights, ModelError if
    `model` has no weights, and InvalidInputError for a leg without a model.
    """
    store = LocalStore.open(Path(path), verify="size")
    try:
        return move_models(store, str(model), legs)
    finally:
        store.close()
