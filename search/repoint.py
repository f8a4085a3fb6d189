"""Store a new location for the models of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.arguments import checked
from ..index import LocalStore
from ..index import repoint as move_models
from . import parameters


@checked(**parameters.REPOINT)
def repoint(path: Path | str, model: Path | str, *, legs: Sequence[str] | None = None) -> list[str]:
    """Store the new location of a model and return the legs that changed. Durable on return.

    path: folder of the collection.
    model: folder or name of the model.
    legs: legs to change. None: every leg whose vectors were computed with this model's weights.

    A leg without vectors accepts any weights if `legs` names it. An open collection keeps the
    models that it has loaded; open it again if it could not load them.

    Raises EncoderMismatchError if the weights differ from those that computed a leg's vectors,
    ModelError if there are no weights, and InvalidInputError for a leg without a model.
    """
    store = LocalStore.open(Path(path), verify="size")
    try:
        return move_models(store, str(model), legs)
    finally:
        store.close()
