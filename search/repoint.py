"""Where the models of a collection are, stored anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..core.arguments import checked
from ..index import LocalStore
from ..index import repoint as move_models
from . import parameters


@checked(**parameters.REPOINT)
def repoint(path: Path | str, model: Path | str, *, legs: Sequence[str] | None = None) -> list[str]:
    """Store where the weights of a collection's legs are now: `model`, a folder or a name.

    legs: only these; None = every leg whose vectors were made with these weights. Returns the legs
    that changed. Durable when it returns. An open collection keeps the models that it has loaded;
    one that could not load them must be opened again.

    Raises EncoderMismatchError for other weights than those that made the vectors of a leg,
    ModelError where there are none, InvalidInputError for a leg without a model. A leg without
    vectors takes any weights, if it is named.
    """
    store = LocalStore.open(Path(path), verify="size")
    try:
        return move_models(store, str(model), legs)
    finally:
        store.close()
