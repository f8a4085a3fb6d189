"""Offline builds: equal to incremental writes, resumable after a kill, limited in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from twindex.core import ConfigError, ConflictError, Document, InvalidInputError, NoProgress
from twindex.encoders import DenseEncoderConfig, SparseEncoderConfig
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    HnswConfig,
    LexicalLeg,
    ProjectionConfig,
    ScalarCodec,
    SpannConfig,
    SparseLeg,
)
from twindex.search import Collection, LegRequest, build
from twindex.search.writing.build import SHARD_DOCUMENTS
from twindex.search.writing.pace import FIRST_DOCUMENTS

TWO_SHARDS = FIRST_DOCUMENTS + SHARD_DOCUMENTS


def configuration(**index) -> CollectionConfig:
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake"), **index),
            "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
            "lexical": LexicalLeg(),
        }
    )


def corpus(n: int) -> list[Document]:
    return [Document(f"d{i}", f"common topic{i % 17} item{i}", metadata={"n": i}) for i in range(n)]


def assert_same(one: Collection, other: Collection) -> None:
    """Check that both find the same documents with the same scores.

    Rounding may order ties differently, so another of the tied documents may be at the cut-off.
    """
    for query in ("common topic3", "item7 topic7"):
        for legs in ((), *((LegRequest(name=leg),) for leg in one.config.legs)):
            found, wanted = (e.search(query, legs=legs, limit=1000).hits for e in (one, other))
            assert [h.score for h in found] == pytest.approx([h.score for h in wanted], abs=1e-5)
            cut = found[-1].score + 1e-5 if len(found) == 1000 else -1e9
            scores = {h.id: h.score for h in wanted if h.score > cut}
            assert {h.id: h.score for h in found if h.id in scores} == pytest.approx(
                scores, abs=1e-5
            )


def test_a_build_equals_adding(tmp_path):
    documents = corpus(300)
    report = build(tmp_path / "built", documents, configuration())
    assert (report.documents, report.passages, report.resumed_at) == (300, 300, 0)
    with (
        Collection.create(tmp_path / "added", configuration()) as added,
        Collection.open(tmp_path / "built") as built,
    ):
        added.add(documents)
        assert_same(built, added)
        assert built.verify() == []
        built.add([Document("new", "common topic3")])
        built.delete(["d3"])
        added.add([Document("new", "common topic3")])
        added.delete(["d3"])
        assert_same(built, added)


def test_the_last_document_with_an_id_is_stored(tmp_path):
    early = [Document("d5", "early"), *corpus(SHARD_DOCUMENTS + 10), Document("d7", "late")]
    report = build(tmp_path / "c", early, configuration())
    assert report.duplicates == 2
    with Collection.open(tmp_path / "c") as collection:
        assert collection.count() == SHARD_DOCUMENTS + 10
        assert collection.get("d7").text == "late"
        assert collection.get("d5").text == "common topic5 item5"
        assert [h.id for h in collection.search("early", legs=[{"name": "lexical"}]).hits] == []
        assert collection.verify() == []


def test_an_interrupted_build_continues(tmp_path):
    documents = corpus(SHARD_DOCUMENTS + 500)
    child = os.fork()
    if child == 0:  # pragma: no cover - another process

        def dying():
            for i, document in enumerate(documents):
                if i == SHARD_DOCUMENTS + 20:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield document

        try:
            build(tmp_path / "c", dying(), configuration())
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    with pytest.raises(ConflictError, match="not finished"):
        Collection.open(tmp_path / "c")
    with pytest.raises(ConflictError, match="another configuration"):
        build(tmp_path / "c", documents, configuration(index=HnswConfig()))
    report = build(tmp_path / "c", documents, configuration())
    assert report.resumed_at == TWO_SHARDS
    build(tmp_path / "whole", documents, configuration())
    with Collection.open(tmp_path / "c") as resumed, Collection.open(tmp_path / "whole") as whole:
        assert_same(resumed, whole)
        assert resumed.verify() == []


KILLED_IN_THE_INDEX = """
import os, signal, sys
from twindex.core import NoProgress
sys.path.insert(0, sys.argv[2])
import {module} as here

class Killing(NoProgress):
    stage, rows = "", 0
    def start(self, stage, total, unit, done=0):
        self.stage = stage
    def advance(self, n=1):
        if self.stage == "index dense":
            self.rows += n
            if self.rows > 2_000:
                os.kill(os.getpid(), signal.SIGKILL)

here.build(here.Path(sys.argv[1]), here.corpus(4_000), here.on_disk(), progress=Killing())
"""


def on_disk() -> CollectionConfig:
    index = SpannConfig(flat_below=0, head_share=0.02)
    return configuration(index=index, codec=ScalarCodec(kind="float32"))


@pytest.mark.slow
def test_a_build_killed_inside_an_index_resumes_there(tmp_path):
    """The finished part of the index is not built again: its folder is the same."""
    code = KILLED_IN_THE_INDEX.format(module=Path(__file__).stem)
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c"), str(Path(__file__).parent)],
        capture_output=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    (unfinished,) = tmp_path.glob("c/segments/*/dense/scratch")
    began = unfinished.parent.parent
    build(tmp_path / "c", corpus(4_000), on_disk())
    assert [path.name for path in tmp_path.glob("c/segments/*")] == [began.name]
    assert not unfinished.exists()
    build(tmp_path / "whole", corpus(4_000), on_disk())
    with Collection.open(tmp_path / "c") as resumed, Collection.open(tmp_path / "whole") as whole:
        assert_same(resumed, whole)
        assert resumed.verify() == []


def test_a_finished_build_is_not_overwritten(tmp_path):
    build(tmp_path / "c", corpus(3), configuration())
    with pytest.raises(ConflictError, match="finished collection"):
        build(tmp_path / "c", corpus(3), configuration())


def test_a_second_build_of_a_folder_is_refused(tmp_path):
    def nested():
        with pytest.raises(ConflictError, match="another process"):
            build(tmp_path / "c", [], configuration())
        yield from corpus(3)

    assert build(tmp_path / "c", nested(), configuration()).documents == 3


def interrupted(path, documents, after: int) -> None:
    """A build that fails once it has read `after` documents."""

    def failing():
        yield from documents[:after]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        build(path, failing(), configuration())


@pytest.mark.parametrize("change", ["before", "inside", "shorter"])
def test_a_build_does_not_continue_with_other_documents(tmp_path, change):
    documents = corpus(SHARD_DOCUMENTS + 100)
    interrupted(tmp_path / "c", documents, SHARD_DOCUMENTS + 10)
    other = {
        "before": [Document("new", "new"), *documents],
        "inside": [*documents[:5], Document("d5", "repaired"), *documents[6:]],
        "shorter": documents[: SHARD_DOCUMENTS - 1],
    }[change]
    with pytest.raises(ConflictError, match="differ from those of the interrupted build"):
        build(tmp_path / "c", other, configuration())
    report = build(tmp_path / "c", documents, configuration())
    assert (report.documents, report.resumed_at) == (len(documents), TWO_SHARDS)


def test_build_and_open_keep_files_not_yet_committed(tmp_path, monkeypatch):
    from twindex.index.store import bulk

    whole = bulk.merge_segments

    def intruded(*arguments):
        row = whole(*arguments)
        with pytest.raises(ConflictError):
            build(tmp_path / "c", corpus(5), configuration())
        with pytest.raises(ConflictError, match="not finished"):
            Collection.open(tmp_path / "c")
        return row

    monkeypatch.setattr(bulk, "merge_segments", intruded)
    build(tmp_path / "c", corpus(SHARD_DOCUMENTS + 5), configuration())
    with Collection.open(tmp_path / "c") as collection:
        assert collection.verify() == []
        assert collection.count() == SHARD_DOCUMENTS + 5


def test_many_shards_are_merged_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("twindex.index.store.bulk.MOST_SHARDS", 3)
    # (The function of the same name hides the module.)
    monkeypatch.setattr(sys.modules["twindex.search.writing.build"], "SHARD_DOCUMENTS", 10)
    documents = [*corpus(95), Document("d3", "replaced"), *corpus(2)]
    build(tmp_path / "c", documents, configuration())
    monkeypatch.undo()
    build(tmp_path / "whole", documents, configuration())
    with Collection.open(tmp_path / "c") as several, Collection.open(tmp_path / "whole") as whole:
        assert_same(several, whole)
        assert several.verify() == []
        assert len(several.info()["segments"]) == 1


def test_shards_are_merged_into_one_graph(tmp_path):
    index = HnswConfig(flat_below=100, ef_search=200)
    build(tmp_path / "c", corpus(SHARD_DOCUMENTS + 500), configuration(index=index))
    build(tmp_path / "flat", corpus(SHARD_DOCUMENTS + 500), configuration())
    dense = [LegRequest(name="dense")]
    with Collection.open(tmp_path / "c") as graph, Collection.open(tmp_path / "flat") as flat:
        found = {h.id: h.score for h in graph.search("topic4 item4", legs=dense, limit=5).hits}
        exact = {h.id: h.score for h in flat.search("topic4 item4", legs=dense, limit=5).hits}
        assert found == pytest.approx(exact)
        assert len(graph.info()["segments"]) == 1


def test_too_small_a_budget_is_refused_with_the_minimum(tmp_path):
    with pytest.raises(ConfigError, match="must be at least") as caught:
        build(tmp_path / "c", corpus(3), configuration(), memory_budget=10_000_000)
    assert caught.value.field == "memory_budget"


def test_an_empty_build_is_an_empty_collection(tmp_path):
    assert build(tmp_path / "c", [], configuration()).documents == 0
    with Collection.open(tmp_path / "c") as collection:
        assert collection.search("anything").hits == []


def test_progress_counts_every_document(tmp_path):
    class Counting(NoProgress):
        def __init__(self):
            self.stages = {}

        def start(self, stage, total, unit, done=0):
            self.stages[stage] = done
            self.now = stage

        def advance(self, n=1):
            assert n >= 0
            self.stages[self.now] += n

    progress = Counting()
    build(tmp_path / "c", corpus(2_345), configuration(), total=2_345, progress=progress)
    legs = {f"index {name}": 2_345 for name in ("dense", "sparse", "lexical")}
    assert progress.stages == {"encode": 2_345, **legs}


@pytest.mark.parametrize("exists", [True, False])
def test_a_projection_to_more_dimensions_than_there_are_is_refused_before_encoding(
    tmp_path, exists
):
    config = configuration(projection=ProjectionConfig(dimensions=65))
    folder = tmp_path / "c"
    if exists:
        folder.mkdir()
    for make in (
        lambda: build(folder, corpus(3), config),
        lambda: Collection.create(folder, config),
    ):
        with pytest.raises(ConfigError, match="but the vectors have 64") as caught:
            make()
        assert caught.value.field == "legs.dense.projection.dimensions"
    assert not exists or list(folder.iterdir()) == []
    assert exists or not folder.exists()


def test_a_build_of_which_every_document_is_refused_creates_nothing(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    wrong = [{"id": id_, "text": "x", "vectors": {"other": [1.0]}} for id_ in "ab"]
    seen = []
    path = tmp_path / "c"

    def refused(document, error):
        seen.append((document.id, error.field))

    with pytest.raises(InvalidInputError, match=r"documents: all 2 were refused, first document"):
        build(path, wrong, config, refused=refused)
    assert [id_ for id_, _ in seen] == ["a", "b"]
    assert not path.exists()
    report = build(path, [*wrong, {"id": "c", "text": "y"}], config, refused=refused)
    assert report.documents == 1
    with Collection.open(path) as collection:
        assert [one.id for one in collection.scan()] == ["c"]


def test_a_build_of_no_documents_makes_an_empty_collection(tmp_path):
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    assert build(tmp_path / "c", [], config, refused=print).documents == 0
