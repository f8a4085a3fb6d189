"""A server loads each model once, and frees it with the last collection that uses it."""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

import pytest

from twindex.llm import WHEELS
from twindex.llm.weights import places as weights
from twindex.llm.weights import shared


def config(prompt: str) -> dict[str, Any]:
    encoder = {"kind": "dense", "query_prompt": prompt, "max_length": 16 + len(prompt)}
    return {"legs": {"dense": {"kind": "dense", "encoder": encoder}}}


def test_collections_share_weights_until_the_last_is_deleted(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if weights._member(WHEELS["all-MiniLM-L6-v2"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['all-MiniLM-L6-v2'].install}")
    monkeypatch.setattr(shared, "_loaded", type(shared._loaded)())
    before = serve()
    for n in range(3):
        path = f"/v1/collections/birds{n}"
        assert before.put(path, json=config("q" * n)).status_code == 201
        bird = {"text": "The kiwi cannot fly."}
        assert before.put(f"{path}/documents/kiwi", json=bird).status_code == 201
    (model,) = shared._loaded.values()
    # A restarted server loads the collections and freezes their objects.
    client = serve()
    assert gc.get_freeze_count()
    for n in range(3, 5):
        path = f"/v1/collections/birds{n}"
        assert client.put(path, json=config("q" * n)).status_code == 201
        assert client.post(f"{path}/search", json={"query": "kiwi"}).status_code == 200
    assert [*shared._loaded.values()] == [model]
    parameter = ref(next(model._model.parameters()))
    del model
    gc.disable()  # The collector skips frozen objects, so reference counts must free them.
    try:
        for n in range(5):
            assert parameter() is not None
            assert client.delete(f"/v1/collections/birds{n}").status_code == 204
        for _ in range(3):  # Both servers notice the deletion.
            assert before.get("/v1/collections").json()["collections"] == []
            assert client.get("/v1/collections").json()["collections"] == []
        assert parameter() is None
    finally:
        gc.enable()
        gc.unfreeze()
