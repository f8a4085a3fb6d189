"""A description of a collection's content and configuration, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..encoders import MOST_TOKENS, counted_by_words, detects_languages
from ..index import CollectionConfig, Store
from .encoding.languages import Languages


def describe(store: Store, languages: Languages) -> dict[str, Any]:
    """Return counts, segments, sizes, legs, encoders and configuration of a collection.

    All values are JSON values. The entry "cut" says how documents are cut into passages:
        unit: the configured unit: "tokens", "words", "sentences" or "none".
        size: maximum number of tokens or words of a passage. None: documents are not cut, or the
            size is not known before the first document is encoded.
        overlap: number of tokens or words that neighbouring passages share.
        whole: documents with at most this many words are not cut.
        leg: name of the leg whose encoder limits the size, or None.

    The entry of a lexical leg that detects languages has `languages`: language -> number of its
    passages. A passage counts for each language in which its title or its text is analysed.
    """
    stored, fingerprints, config = store.describe(), store.fingerprints(), store.config
    legs = stored.get("legs", {})
    return {
        "path": str(store.directory),
        **stored,
        "cut": _passage_cut(config, fingerprints),
        "legs": {
            name: {
                "kind": leg.kind,
                "role": leg.role,
                "encoder": fingerprints.get(name),
                **legs.get(name, {}),
                **(
                    {"languages": languages.passages(name)}
                    if detects_languages(leg.encoder)
                    else {}
                ),
            }
            for name, leg in config.legs.items()
        },
        "config": config.model_dump(mode="json"),
    }


def _passage_cut(
    config: CollectionConfig, fingerprints: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return how documents are cut into passages: the entry "cut" of `describe`."""
    passages = config.passages
    reads = {
        name: one.get("document_length", one.get("max_length"))
        for name, one in fingerprints.items()
    }
    limits = {name: int(limit) for name, limit in reads.items() if limit is not None}
    if passages.unit == "tokens" and fingerprints and not limits:
        passages = counted_by_words(passages)
    found: dict[str, Any] = passages.model_dump(include={"unit", "size", "overlap"})
    found |= {"whole": passages.threshold, "leg": None}
    if passages.unit == "none":
        return {**found, "size": None, "overlap": 0, "whole": 0}
    if passages.unit == "tokens" and limits:
        least = min(limits, key=lambda name: limits[name])
        found["size"] = passages.size or MOST_TOKENS
        if limits[least] <= found["size"]:
            found.update(size=limits[least], leg=least)
        found["overlap"] = min(passages.overlap, found["size"] // 2)
    return found
