"""Shares weights between the models of one process.

Weights are loaded once and freed when no model uses them. Models with different prompts or limits
can have the same weights. Each such model gets a view: a copy of the loaded model that shares
parameters, buffers and the vocabulary of the tokenizer. A view has its own structure and settings,
so a layer can be removed or a limit set without effect on other views.
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
    """A loaded model whose weights several models of the process share.

    Each of these models uses a view: a copy that `view` creates and that shares the weights. Keep
    this object as long as you use a view, so that `share` does not load the weights again.

    tokenizing: lock to hold while the tokenizer of a view is called. All views share one tokenizer
                backend, which stores the settings for truncation and padding.
    """

    def __init__(self, model: Any, tokenizer: Any, digest: str) -> None:
        """Create a shared model.

        model:     a torch module.
        tokenizer: a fast tokenizer of transformers. It may be a part of the module. None: no
                   tokenizer is shared.
        digest:    digest of the weights.
        """
        self.digest = digest
        self.tokenizing = Lock()
        self.tokenizer = tokenizer
        self._model = model

    def view(self) -> Any:
        """Return a copy of the model that shares its parameters and buffers.

        The copy itself takes 0.2 MB for MiniLM.
        """
        shared = [*self._model.parameters(), *self._model.buffers()]
        memo: dict[int, Any] = {id(tensor): tensor for tensor in shared}
        if hasattr(self.tokenizer, "backend_tokenizer"):
            memo[id(self.tokenizer)] = _shell(self.tokenizer)
        return freed_at_once(copy.deepcopy(self._model, memo))


_loaded: WeakValueDictionary[tuple[str, ...], SharedModel] = WeakValueDictionary()
_loading = Lock()


def share(kind: str, source: Path, device: str, load: Callable[[], tuple[Any, Any]]) -> SharedModel:
    """Return the SharedModel of the weights in `source`.

    The weights are loaded only if no model of this process uses them already.

    kind: text that names the class and number type of the model. Models share weights only if kind,
          device and digest are equal.
    load: function that returns (model, tokenizer).

    Only one model is loaded at a time.

    Raises ModelError for weights that cannot be read or that change during loading. Exceptions of
    `load` are passed on.
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
                raise ModelError(f"the weights in {source} changed while they were loaded; retry")
            found = _loaded[key] = SharedModel(freed_at_once(model), tokenizer, digest)
        return found


def freed_at_once(model: Any) -> Any:
    """Remove a model's reference to itself and return the model.

    Without this reference cycle, Python frees the model when nothing else refers to it. With the
    cycle, only the garbage collector could free it, but a server excludes all objects that exist at
    its start from garbage collection.
    """
    card = getattr(model, "model_card_data", None)
    if card is not None:
        card.model = None
    return model


def _shell(tokenizer: Any) -> Any:
    """Return a copy of a tokenizer that has its own settings but shares the backend."""
    shell = object.__new__(type(tokenizer))
    shell.__dict__.update(tokenizer.__dict__)
    return shell
