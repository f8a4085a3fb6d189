"""Collections with coded token vectors in random sequences of operations, against MaxSim.

The tests use small integers, which float16 stores exactly, so coding is lossless.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from twindex.core import CorruptFileError, Document
from twindex.encoders import LateEncoderConfig
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    LexicalLeg,
    ScalarCodec,
    StorageConfig,
    VectorStorage,
    maintain,
    reconfigure,
)
from twindex.search import Collection, build

from .. import test_multi_states as states
from ..collection_states import in_few_examples

CODED = CollectionConfig.model_validate(
    {
        **states.COLLECTION.model_dump(),
        "legs": {
            "dense": DenseLeg(encoder=states.CONFIG, codec=ScalarCodec(kind="float16")),
            "sparse": states.COLLECTION.legs["sparse"],
        },
    }
)


@pytest.fixture(autouse=True)
def few_are_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twindex.index.structures.flat.config.CODED_FROM", 5)


class CodedStates(states.MultiStates):
    config = CODED


TestCodedStates = CodedStates.TestCase
TestCodedStates.settings = in_few_examples(20, steps=12)


def test_an_offline_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["twindex.search.writing.build"], "SHARD_DOCUMENTS", 9)
    stored = states.some_documents()
    build(tmp_path / "c", list(stored.values()), CODED, encoders=states.load)
    with Collection.open(tmp_path / "c", encoders=states.load) as collection:
        states.check(collection, stored)
        (segment,) = collection.info()["segments"]
        assert segment["vectors"]["dense"]["codec"] == "float16"
        assert collection.info()["legs"]["dense"]["vectors"]["originals"] == "none"


def test_older_collections_can_be_opened_and_reconfigured(tmp_path: Path) -> None:
    """Reconfigure from uncompressed vectors to codes and back, without encoding texts."""
    stored = states.some_documents()
    with Collection.create(tmp_path / "c", states.COLLECTION, encoders=states.load) as collection:
        collection.add(stored.values())
        collection.seal()
        for kind in ("float16", "bfloat16", "float32"):
            storage = VectorStorage(codec=ScalarCodec(kind=kind))
            done = reconfigure(collection.store, {"dense": storage})
            assert done.changed
            # Coded vectors have no originals. A warning says so before they are coded again.
            assert len(done.warnings) == (kind != "float16")
            states.check(collection, stored)
            names = {path.name for path in (tmp_path / "c").glob("segments/*/dense/*")}
            assert ("vectors.npy" in names) == (kind == "float32")
            assert ("codes.npy" in names) == (kind != "float32")


def test_a_delta_of_token_vectors_is_sealed_earlier(tmp_path: Path) -> None:
    late = DenseLeg(role="rerank", encoder=LateEncoderConfig(model="fake"))
    for legs, pending in (({}, 12), ({"late": late}, 2)):
        config = CollectionConfig(
            legs={"lexical": LexicalLeg(), **legs}, storage=StorageConfig(seal_passages=50)
        )
        with Collection.create(tmp_path / f"c{pending}", config) as collection:
            for i in range(12):
                collection.add([Document(f"d{i}", "ant bee")])
                maintain(collection.store)
            assert collection.store.pending() == pending


def test_damaged_codes_are_named_at_open(tmp_path: Path) -> None:
    """Also if sizes match: each file is compared with the others."""
    with Collection.create(tmp_path / "c", CODED, encoders=states.load) as collection:
        collection.add(states.some_documents().values())
        collection.seal()
    (folder,) = (tmp_path / "c").glob("segments/*/dense")
    for path in folder.iterdir():
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2], b"", bytes(len(whole))):
            path.write_bytes(damaged)
            with pytest.raises(CorruptFileError, match=path.name.replace(".", r"\.")):
                Collection.open(tmp_path / "c", encoders=states.load)
        path.write_bytes(whole)
    Collection.open(tmp_path / "c", encoders=states.load).close()
