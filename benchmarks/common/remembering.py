"""An encoder that encodes each text only once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from twindex.core import Representation, Role
from twindex.encoders import Encoder


class Remembering:
    """A wrapper of an encoder that encodes each text only once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._kept: dict[bytes, Representation] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        keys = [
            hashlib.blake2b(f"{role} {text}".encode(), digest_size=16).digest() for text in texts
        ]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if new:
            found = self._encoder.encode(list(new.values()), role=role)
            self._kept.update((key, found.at(i)) for i, key in enumerate(new))
        if advance is not None:
            advance(len(texts))
        parts = [self._kept[key] for key in keys]
        return Representation(
            dense=_stacked([part.dense for part in parts], np.vstack),
            sparse=_stacked([part.sparse for part in parts], _rows),
            terms=_stacked(
                [part.terms for part in parts], lambda all_: [t for one in all_ for t in one]
            ),
            truncated=_stacked([part.truncated for part in parts], np.concatenate),
        )


def _stacked(parts: Sequence[Any], join: Callable[[Any], Any]) -> Any:
    return None if not parts or parts[0] is None else join(parts)


def _rows(parts: Sequence[Any]) -> Any:
    return scipy.sparse.csr_array(scipy.sparse.vstack(parts, format="csr"))
