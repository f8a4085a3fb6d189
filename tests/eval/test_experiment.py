"""Running queries on a collection, and the table of legs and fusions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from twindex.core import Document, InvalidInputError, Query, Run, SourceError
from twindex.encoders import DenseEncoderConfig, PromptRepsEncoderConfig
from twindex.eval import (
    BeirDataset,
    Evaluation,
    engine_search,
    evaluate,
    judged_queries,
    leg_table,
    run_queries,
    systems,
)
from twindex.eval.experiment import BATCH
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.search import Collection

TEXTS = {"kiwi": "the kiwi cannot fly", "hawk": "the hawk can fly", "eel": "an eel can swim"}
QUERIES = [Query("1", "kiwi"), Query("2", "swim"), Query("3", "nobody judged this")]
QRELS = {"1": {"kiwi": 1}, "2": {"eel": 2}, "absent": {"hawk": 1}}


@pytest.fixture
def collection(tmp_path: Path) -> Iterable[Collection]:
    config = CollectionConfig(
        legs={"lexical": LexicalLeg(), "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake"))}
    )
    with Collection.create(tmp_path / "index", config) as collection:
        collection.add(Document(id=name, text=text) for name, text in TEXTS.items())
        yield collection


def test_queries_run_in_batches() -> None:
    sizes: list[int] = []

    def search(queries: Sequence[Query]) -> Iterable[Mapping[str, float]]:
        return ({query.text: 1.0} for query in queries)

    queries = [Query(str(number), f"text {number}") for number in range(2 * BATCH + 1)]
    run = run_queries(search, queries, sizes.append)
    assert run == {query.id: {query.text: 1.0} for query in queries}
    assert sizes == [BATCH, BATCH, 1]
    assert run_queries(search, []) == {}


def test_engine_search_returns_scores(collection: Collection) -> None:
    run = run_queries(engine_search(collection, legs=[{"name": "lexical"}]), QUERIES)
    assert list(run) == ["1", "2", "3"]
    assert list(run["1"]) == ["kiwi"]
    assert list(run["2"]) == ["eel"]
    fused = run_queries(engine_search(collection, limit=2), QUERIES[:1])
    assert len(fused["1"]) == 2
    with pytest.raises(InvalidInputError, match="limit"):
        engine_search(collection, limit=0)


def test_table_has_each_leg_and_each_fusion(collection: Collection) -> None:
    rows = leg_table(collection, QUERIES, QRELS, ["R@1", "nDCG@10"], ("rrf", "minmax"))
    assert [row.system.name for row in rows] == ["lexical", "dense", "rrf", "minmax"]
    for row in rows:
        search = engine_search(collection, legs=row.system.legs, **_fusion(row.system.fusion))
        run = run_queries(search, judged_queries(QUERIES, QRELS))
        assert row.evaluation == evaluate(run, QRELS, ["R@1", "nDCG@10"])
        assert row.evaluation.queries == 3
    assert rows[0].evaluation.measures["R@1"] == pytest.approx(2 / 3)


def test_table_encodes_each_query_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The cache is smaller than the number of queries.
    monkeypatch.setattr("twindex.search.encoding.queries._MAX_BATCH", BATCH)
    encoder = PromptRepsEncoderConfig(model="fake")
    legs = {"dense": DenseLeg(encoder=encoder), "sparse": SparseLeg(encoder=encoder)}
    queries = [Query(str(n), f"query {n}") for n in range(3 * BATCH)]
    qrels = {query.id: {"kiwi": 1} for query in queries}
    with Collection.create(tmp_path / "index", CollectionConfig(legs=legs)) as collection:
        collection.add(Document(id=name, text=text) for name, text in TEXTS.items())
        collection.load()
        before = collection.usage
        sizes: list[int] = []

        def counted(run: Run, *arguments: Any) -> Evaluation:
            sizes.append(len(run))
            return evaluate(run, *arguments)

        monkeypatch.setattr("twindex.eval.experiment.evaluate", counted)
        rows = leg_table(collection, queries, qrels, ["R@1"])
        assert max(sizes) == BATCH  # The hits of all batches would take gigabytes.
        assert before is not None
        assert collection.usage is not None
        assert collection.usage.calls - before.calls == len(queries)
    assert len(rows) == 6
    assert all(row.evaluation.queries == len(queries) for row in rows)


def _fusion(fusion: object) -> dict[str, object]:
    return {} if fusion is None else {"fusion": fusion}


def test_filter_applies_to_every_system(collection: Collection) -> None:
    rows = leg_table(collection, QUERIES, QRELS, ["R@3"], filter={"lang": "en"})
    assert {row.evaluation.measures["R@3"] for row in rows} == {0.0}


def test_single_leg_has_no_fusion() -> None:
    assert [(system.name, system.fusion) for system in systems(["dense"])] == [("dense", None)]
    names = [system.name for system in systems(["a", "b"])]
    assert names == ["a", "b", "minmax", "zscore", "dbsf", "rrf"]


def test_unknown_measure_is_rejected_before_searching(collection: Collection) -> None:
    with pytest.raises(InvalidInputError, match="not a measure"):
        leg_table(collection, QUERIES, QRELS, ["nDGC@10"])


def test_beir_dataset_reads_a_folder(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "x"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "a"}\n{"_id": "2", "text": "b"}')
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n2\td\t1\n")
    dataset = BeirDataset.open(tmp_path, "dev")
    assert [document.id for document in dataset.documents()] == ["d"]
    assert dataset.queries == [Query("2", "b")]
    assert dataset.qrels == {"2": {"d": 1}}
    with pytest.raises(SourceError, match=r"test\.tsv: no such file"):
        BeirDataset.open(tmp_path)


def test_perfect_run_of_a_real_data_set(shared_data: Path) -> None:
    dataset = BeirDataset.open(shared_data / "scifact")
    assert len(dataset.queries) == len(dataset.qrels) == 300
    perfect = {
        query: {d: float(grade) for d, grade in g.items()} for query, g in dataset.qrels.items()
    }
    assert evaluate(perfect, dataset.qrels, ["nDCG@10"]).measures == {"nDCG@10": 1.0}
