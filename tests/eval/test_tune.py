"""Tuning small collections: the sample, the measured quality and the output files."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twindex.core import (
    ConfigError,
    Document,
    InvalidInputError,
    NoProgress,
    NotFoundError,
    Query,
    Representation,
)
from twindex.encoders import DenseEncoderConfig, PassageConfig, PromptRepsEncoderConfig
from twindex.eval import evaluate
from twindex.eval.tuning import Grid, Limits, Report, choose, tune, write
from twindex.eval.tuning.measure import obstacle
from twindex.eval.tuning.quality import K, Searcher, Truth
from twindex.eval.tuning.sample import Queries, Sample, read_sample, sampled_queries
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, StorageConfig, VectorStorage
from twindex.index.dense.delta import DenseDelta
from twindex.search import Collection

LEG = DenseLeg(encoder=DenseEncoderConfig(model="fake"))
CONFIG = CollectionConfig(
    legs={"dense": LEG, "lexical": LexicalLeg()},
    passages=PassageConfig(unit="words", size=6, overlap=0, threshold=6),
    storage=StorageConfig(seal_passages=100_000),
)
WORDS = [f"w{i}" for i in range(300)]
DOCUMENTS = 900
GRID = Grid.parse(
    {
        "recall": [0.5, 0.95],
        "block": [
            {"index": ["flat"], "codec": ["float32", "float16"]},
            {"index": ["flat"], "codec": ["int8"], "originals": ["auto", "none"]},
            {"index": [{"kind": "spann", "flat_below": 0}, "spann"]},
        ],
    }
)


def text(random: np.random.Generator, topic: int, words: int) -> str:
    return " ".join(random.choice(WORDS[topic * 15 : topic * 15 + 45], words))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection with two segments, a delta, and deleted and replaced documents.

    Documents have one to three passages.
    """
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("tune") / "index"
    with Collection.create(path, CONFIG) as collection:
        for start in range(0, DOCUMENTS, 300):
            if start:
                collection.seal()
            collection.add(
                Document(f"d{i}", text(random, i % 15, 6 * int(random.integers(1, 4))))
                for i in range(start, start + 300)
            )
        collection.delete([f"d{i}" for i in range(0, DOCUMENTS, 50)])
        collection.add([Document("d1", text(random, 3, 6))])
    return path


@pytest.fixture
def collection(path: Path) -> Iterator[Collection]:
    with Collection.open(path, read_only=True) as collection:
        yield collection


def read(collection: Collection, most: int = 10**9, judged: Any = None, seed: int = 0) -> Sample:
    return read_sample(collection, "dense", most, seed, judged, NoProgress())


def test_all_live_vectors_are_read(collection: Collection) -> None:
    sample = read(collection)
    assert sample.complete
    assert sample.documents == collection.count() == DOCUMENTS - 18
    assert len(sample) == sample.total == collection.info()["passages"]
    assert not sample.rounded
    assert (np.diff(sample.owners) >= 0).all()
    assert sorted(sample.ids.values()) == sorted(d.id for d in collection.documents(limit=1000))
    hits = {
        hit.id: hit.score for hit in collection.search("w3 w4 w50", legs=[{"name": "dense"}]).hits
    }
    query = collection._encoders["dense"].encode(["w3 w4 w50"], role="query").dense
    assert query is not None
    scores: dict[str, float] = {}
    for number, score in zip(sample.owners, sample.vectors @ query[0], strict=True):
        name = sample.ids[int(number)]
        scores[name] = max(scores.get(name, -9.0), float(score))
    assert hits == pytest.approx({name: scores[name] for name in hits}, abs=1e-6)


def test_sample_has_whole_documents_and_all_relevant_ones(collection: Collection) -> None:
    judged = {"q": {"d7": 1, "d8": 0, "d507": 2}}
    sample = read(collection, 100, judged)
    whole = read(collection)
    assert 2 <= sample.documents < len(sample) <= 100 < sample.total == whole.total
    assert not sample.complete
    assert {"d7", "d507"} <= set(sample.ids.values())
    for number in sample.ids:
        own = whole.vectors[whole.owners == number]
        assert (sample.vectors[sample.owners == number] == own).all()
    assert read(collection, 100, judged).ids == sample.ids
    assert read(collection, 100, judged, seed=1).ids != sample.ids
    with pytest.raises(InvalidInputError, match="sample: the relevant documents alone"):
        read(collection, 2, {"q": {f"d{i}": 1 for i in range(1, 40)}})


def test_quality_equals_brute_force(collection: Collection) -> None:
    """A document ranks by its best passage. It is no result of a query that is the document."""
    sample = read(collection)
    random = np.random.default_rng(1)
    noise = random.normal(size=sample.vectors.shape).astype(np.float32) / 40
    poor = DenseDelta(LEG)
    poor.append(Representation(dense=sample.vectors + noise))
    sampled = sampled_queries(sample, 50, 0)
    qrels = {str(i): {f"d{j}": 1 for j in range(1 + i, 400, 7)} for i in range(50)}
    names = [str(i) for i in range(50)]
    given = Queries(sampled.vectors, np.full(50, -1), names, qrels, 50)
    assert sampled.sampled
    assert not given.sampled
    for queries in (sampled, given):
        truth = Truth(sample, queries, LEG)
        assert truth.quality.recall == 1
        measured = truth.measure(Searcher(sample, LEG, poor, K))
        shares, run = [], {}
        for i, query in enumerate(queries.vectors):
            exact = best_documents(sample, sample.vectors @ query)
            found = best_documents(sample, (sample.vectors + noise) @ query)
            run[names[i]] = {sample.ids[n]: s for n, s in sorted(found.items(), key=second)[:K]}
            own = int(queries.own[i])
            near = sorted(exact.items(), key=second)
            bound = near[K - 1][1] - 1e-6
            relevant = {n for n, score in near if score >= bound} - {own}
            wanted = len({n for n, _ in near[:K]} - {own})
            hits = {n for n, _ in sorted(found.items(), key=second)[:K]} & relevant
            shares.append(min(1.0, len(hits) / wanted))
        assert measured.recall == pytest.approx(np.mean(shares), abs=0.003)
        assert 0.2 < measured.recall < 0.98
        if queries.qrels is not None:
            expected = evaluate(run, qrels, ["nDCG@10"]).measures["nDCG@10"]
            assert measured.ndcg == measured.value == pytest.approx(expected, abs=1e-3)
        else:
            assert measured.ndcg is None


def second(item: tuple[int, float]) -> float:
    return -item[1]


def best_documents(sample: Sample, scores: np.ndarray) -> dict[int, float]:
    best: dict[int, float] = {}
    for number, score in zip(sample.owners.tolist(), scores.tolist(), strict=True):
        best[number] = max(best.get(number, -9.0), score)
    return best


@pytest.fixture(scope="module")
def report(path: Path) -> Report:
    with Collection.open(path, read_only=True) as collection:
        return tune(collection, grid=GRID, number=40, limits=Limits(min_recall=0.9))


def test_report_has_plausible_figures(report: Report, path: Path) -> None:
    names = [point.name for point in report.points]
    assert names[:4] == ["flat float32", "flat float16", "flat int8", "flat int8 codes only"]
    assert all(name.startswith("spann @") for name in names[4:])
    assert [item.name for item in report.skipped if "flat_below" in item.reason] == ["spann"]
    exact, half, int8, codes, *spann = report.points
    assert exact.recall == exact.quality == report.reference.recall == 1
    assert exact.bytes_per_vector == pytest.approx(64 * 4, rel=0.01)
    assert exact.memory == pytest.approx(report.measured_on["passages"] * 64 * 4, rel=0.01)
    assert half.bytes_per_vector == pytest.approx(64 * 2, rel=0.01)
    assert codes.bytes_per_vector < half.bytes_per_vector < int8.bytes_per_vector
    assert int8.memory < half.memory
    assert int8.recall > 0.97
    for point in report.points:
        assert 0 < point.p50_ms <= point.p95_ms
        assert point.ndcg is None
    for point in spann:
        assert point.parameters
        assert point.name == f"spann @{getattr(point.storage.index, 'recall'):g}"  # noqa: B009
    assert report.choice == choose(report.points, report.limits)
    assert report.measured_on["queries_are"] == "documents"
    assert not [child for child in path.parent.iterdir() if child != path]  # No temporary folder.


def test_figures_are_reproducible(report: Report, collection: Collection) -> None:
    again = tune(collection, grid=GRID, number=40, limits=Limits(min_recall=0.9))

    def figures(report: Report) -> list[tuple[Any, ...]]:
        return [(p.name, p.recall, p.memory, p.parameters, p.loss) for p in report.points]

    assert figures(again) == figures(report)


def test_write_creates_all_files(report: Report, tmp_path: Path) -> None:
    written = write(report, tmp_path / "a" / "b")
    names = ["tune.json", "tune.html", "quality-bytes.svg", "quality-memory.svg",
             "quality-latency.svg", "recommended.toml"]  # fmt: skip
    assert [path.name for path in written] == names
    assert all(path.stat().st_size > 300 for path in written)
    figures = json.loads(written[0].read_text())
    assert len(figures["points"]) == len(report.points)
    assert figures["limits"]["min_recall"] == 0.9
    page = written[1].read_text()
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://arxiv.org", "")
    for point in report.points:
        assert point.name in page
    config = CollectionConfig.parse(tomllib.loads(written[-1].read_text()))
    assert config == report.recommended_config
    assert report.recommended is not None
    leg = config.legs["dense"]
    assert isinstance(leg, DenseLeg)
    assert leg.index == report.recommended.storage.index
    assert config.legs["lexical"] == CONFIG.legs["lexical"]


def test_without_recommendation_configuration_file_is_removed(
    report: Report, tmp_path: Path
) -> None:
    write(report, tmp_path)
    limits = Limits(bytes_per_vector=1)
    none = replace(report, limits=limits, choice=choose(report.points, limits))
    assert "recommended.toml" not in [path.name for path in write(none, tmp_path)]
    assert not (tmp_path / "recommended.toml").exists()
    assert "Nothing meets the limits" in (tmp_path / "tune.html").read_text()
    assert json.loads((tmp_path / "tune.json").read_text())["config"] is None


def test_names_are_escaped(report: Report, tmp_path: Path) -> None:
    write(replace(report, collection="<b>&"), tmp_path)
    assert "<b>&" not in (tmp_path / "tune.html").read_text()


def test_with_judgements_quality_is_ndcg(collection: Collection) -> None:
    queries = [Query(f"q{i}", f"w{i} w{i + 1}") for i in range(0, 200, 10)]
    qrels = {query.id: {"d3": 1, "d7": 2} for query in queries}
    grid = Grid.parse({"block": [{"index": ["flat"], "codec": ["float32", "float16"]}]})
    report = tune(collection, grid=grid, queries=queries, qrels=qrels, number=12, sample=500)
    assert report.measure == "nDCG@10"
    assert report.reference.ndcg == report.points[0].ndcg == report.points[0].quality
    assert report.measured_on["queries"] == 12
    assert report.measured_on["of_queries"] == 20
    assert report.measured_on["passages"] <= 500
    assert "12 of 20 queries" in " ".join(report.notes)
    assert f"of {report.measured_on['of_passages']:,} passages" in " ".join(report.notes)
    # Memory of an exact scan is projected from the sample to all passages.
    assert report.points[0].memory == pytest.approx(256 * report.measured_on["of_passages"], 0.02)


def test_obstacle_names_collections_too_small_for_an_index(collection: Collection) -> None:
    sample = read(collection)
    flat = VectorStorage()
    ivf = VectorStorage.parse({"index": {"kind": "ivf"}})
    always = VectorStorage.parse({"index": {"kind": "ivf", "flat_below": 0}})
    coded = VectorStorage.parse({"codec": {"kind": "int8"}})
    assert obstacle(flat, sample) is None
    assert "fewer than 20,000 (flat_below) are searched exactly" in str(obstacle(ivf, sample))
    assert obstacle(always, sample) is None
    assert obstacle(coded, sample) is None
    few = replace(sample, vectors=sample.vectors[:100])
    assert "a sample of 100 passages is too small" in str(obstacle(coded, few))
    assert "so few are searched exactly" in str(obstacle(coded, replace(few, total=100)))


def test_queries_without_judgements_are_ignored(collection: Collection) -> None:
    grid = Grid.parse({"block": [{"index": ["flat"]}]})
    queries = [Query("q1", "w3 w4"), Query("q2", "w5")]
    report = tune(collection, grid=grid, queries=queries, qrels={"q2": {"d3": 1}, "q3": {"d4": 1}})
    assert report.measured_on["queries"] == report.measured_on["of_queries"] == 1


def test_invalid_arguments_are_named(collection: Collection) -> None:
    queries = [Query("q", "w3")]
    grid = Grid.parse({"block": [{"index": ["flat"]}]})
    with pytest.raises(NotFoundError, match="no leg 'sparse'; the legs are dense, lexical"):
        tune(collection, "sparse")
    with pytest.raises(
        InvalidInputError, match=r"leg: must be a dense leg, got 'lexical' \(lexical\)"
    ):
        tune(collection, "lexical")
    for fields, message in (
        ({"limits": Limits(p95_ms=0)}, "p95_ms: must be above 0 and finite, got 0"),
        ({"limits": Limits(memory=float("nan"))}, "memory: must be above 0 and finite, got nan"),
        ({"limits": Limits(p95_ms=float("inf"))}, "p95_ms: must be above 0 and finite, got inf"),
        ({"limits": Limits(min_recall=1.5)}, r"min_recall: must be at most 1, got 1\.5"),
        ({"sample": 1}, "sample: must be at least 2, got 1"),
        ({"number": 0}, "number: must be at least 1, got 0"),
        ({"depth": 9}, "depth: must be at least 10, got 9"),
        ({"seed": -1}, "seed: must be at least 0, got -1"),
        ({"queries": []}, "queries: must have at least one query"),
        ({"qrels": {"q": {"d1": 1}}}, "qrels: requires `queries`"),
        (
            {"queries": queries, "qrels": {"other": {"d1": 1}}},
            "queries: none of the queries has judgements",
        ),
        (
            {"queries": queries, "qrels": {"q": {"d1": 0, "no": 1}}},
            "qrels: no relevant document is in the collection",
        ),
        ({"only": {"index": ["ivf"]}}, "index: the grid has no 'ivf'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            tune(collection, grid=grid, **fields)
    impossible = Grid.parse({"block": [{"index": ["hnsw"], "codec": ["pq"]}]})
    with pytest.raises(ConfigError, match="does not support codec pq"):
        tune(collection, grid=impossible)


def test_legs_that_cannot_be_tuned_are_rejected(tmp_path: Path) -> None:
    encoder = PromptRepsEncoderConfig(model="fake", variant="multi_token_multi")
    config = CollectionConfig(legs={"dense": DenseLeg(encoder=encoder)})
    with (
        Collection.create(tmp_path / "multi", config) as collection,
        pytest.raises(InvalidInputError, match="several vectors"),
    ):
        tune(collection)
    with (
        Collection.create(tmp_path / "empty", CONFIG) as collection,
        pytest.raises(InvalidInputError, match="must have at least 2 documents, got 0"),
    ):
        tune(collection)


def test_failure_of_one_storage_does_not_lose_the_others(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twindex.eval.tuning import measure

    build = measure._build

    def failing(storage: VectorStorage, *rest: Any) -> Any:
        if storage.used_codec is not None and storage.used_codec.kind == "float16":
            raise RuntimeError("no room\nfor details")
        return build(storage, *rest)

    monkeypatch.setattr(measure, "_build", failing)
    grid = Grid.parse({"block": [{"index": ["flat"], "codec": ["float32", "float16"]}]})
    report = tune(collection, grid=grid, number=5)
    assert [point.name for point in report.points] == ["flat float32"]
    assert [(item.name, item.reason) for item in report.skipped] == [("flat float16", "no room")]
    with pytest.raises(ConfigError, match="nothing could be measured: flat float16: no room"):
        tune(collection, grid=grid, only={"codec": ["float16"]})


def test_codes_without_originals_are_not_oversampled(report: Report) -> None:
    """They cannot reach a high recall, and decoding all codes would find no more."""
    codes = next(point for point in report.points if point.name == "flat int8 codes only")
    assert codes.parameters is not None
    assert codes.parameters.get("oversample", 0) == 0
