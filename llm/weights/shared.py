"""Weights that several models of one process share: loaded once, freed with the last user.

Configurations that differ in prompts or limits use the same numbers. Each gets a view of the loaded
model: parameters, buffers and the vocabulary of the tokenizer are shared, structure and settings
are its own, so that one may cut off a layer or set a limit and no other notices.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from ...core import ModelError
from .digest import weights_digest


class SharedModel:
    """A loaded model. Whoever uses a view of it keeps it, so that the next one finds it.

    tokenizing: must be held while the tokenizer of a view is called. Views share its backend, which
    keeps truncation and padding as state; each call sets them anew.
    """

    def __init__(self, model: Any, tokenizer: Any, digest: str) -> None:
        """model: a torch module. tokenizer: a fast one of transformers, inside the module or not;
        None = there is none to share."""
        self.digest = digest
        self.tokenizing = Lock()
        self.tokenizer = tokenizer
        self._model = model

    def view(self) -> Any:
        """A copy with the same parameters and buffers, about 0.2 MB for MiniLM."""
        shared = [*self._model.parameters(), *self._model.buffers()]
        memo: dict[int, Any] = {id(tensor): tensor for tensor in shared}
        if hasattr(self.tokenizer, "backend_tokenizer"):
            memo[id(self.tokenizer)] = _shell(self.tokenizer)
        return freed_at_once(copy.deepcopy(self._model, memo))


_loaded: WeakValueDictionary[tuple[str, ...], SharedModel] = WeakValueDictionary()
_loading = Lock()


def share(kind: str, source: Path, device: str, load: Callable[[], tuple[Any, Any]]) -> SharedModel:
    """The model of these weights that is in use, or else what `load` gives: (model, tokenizer).

    kind: what `load` makes of weights: its class and arithmetic. One is loaded at a time. Raises
    ModelError for weights that cannot be read or change meanwhile, and what `load` raises.
    """
    digest = weights_digest(source)
    key = (kind, digest, device)
    if (found := _loaded.get(key)) is not None:
        return found
    with _loading:
        found = _loaded.get(key)
        if found is None:
            model, tokenizer = load()
            if weights_digest(source) != digest:
                raise ModelError(f"the weights in {source} changed while they were loaded: retry")
            found = _loaded[key] = SharedModel(freed_at_once(model), tokenizer, digest)
        return found


def freed_at_once(model: Any) -> Any:
    """The same without its reference to itself: it is freed with its last user, without waiting for
    the garbage collector, which never looks at what was there when a server had started."""
    card = getattr(model, "model_card_data", None)
    if card is not None:
        card.model = None
    return model


def _shell(tokenizer: Any) -> Any:
    """A tokenizer with settings of its own around the same backend."""
    shell = object.__new__(type(tokenizer))
    shell.__dict__.update(tokenizer.__dict__)
    return shell
