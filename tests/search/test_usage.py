"""Usage of language models in searches and writes: counted once and returned."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document, InvalidInputError, NoProgress, StorageError, Usage, add_usages
from twindex.encoders import PromptRepsEncoderConfig, SparseEncoderConfig, load_encoder
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg, SparseLeg
from twindex.search import Collection, SearchRequest, build
from twindex.search.encoding.queries import QueryEncoder
from twindex.search.encoding.usage import usage_share

MODEL = PromptRepsEncoderConfig(model="fake")
CONFIG = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=MODEL),
        "sparse": SparseLeg(encoder=MODEL),
        "lexical": LexicalLeg(),
    }
)
BIRDS = [
    Document("kiwi", "The kiwi cannot fly."),
    Document("gull", "The gull flies over the sea."),
    Document("emu", "An emu is tall and runs."),
]


class Spy:
    """A loader whose encoders record the texts that they encode."""

    def __init__(self):
        self.loaded = []
        self.asked = {"query": [], "document": []}

    def __call__(self, config):
        self.loaded.append(config)
        return Watched(load_encoder(config), self.asked if config.kind != "analyzer" else None)


class Watched:
    def __init__(self, encoder, asked):
        self._encoder = encoder
        self._asked = asked

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode(self, texts, *, role, advance=None):
        if self._asked is not None:
            self._asked[role].append(list(texts))
        return self._encoder.encode(texts, role=role, advance=advance)


@pytest.fixture
def spy():
    return Spy()


@pytest.fixture
def collection(tmp_path, spy):
    with Collection.create(tmp_path / "birds", CONFIG, encoders=spy) as collection:
        collection.add(BIRDS)
        yield collection


def untimed(usage):
    return replace(usage, seconds=0.0)


def test_one_pass_serves_both_legs(collection, spy):
    assert spy.asked["document"] == [[bird.text for bird in BIRDS]]
    collection.search("which bird cannot fly")
    assert spy.asked["query"] == [["which bird cannot fly"]]
    assert [config.kind for config in spy.loaded] == ["promptreps", "analyzer"]


def test_legs_that_differ_in_device_only_share_an_encoder(tmp_path, spy):
    other = MODEL.model_copy(update={"device": "cpu"})
    legs = {"dense": DenseLeg(encoder=MODEL), "sparse": SparseLeg(encoder=other)}
    with Collection.create(tmp_path / "c", CollectionConfig(legs=legs), encoders=spy) as collection:
        collection.add(BIRDS)
        collection.search("kiwi")
    assert len(spy.loaded) == len(spy.asked["document"]) == len(spy.asked["query"]) == 1


def test_the_device_is_not_stored(tmp_path):
    on_cpu = partial(load_encoder, device="cpu")
    build(tmp_path / "c", BIRDS, CONFIG, encoders=on_cpu)
    with Collection.open(tmp_path / "c") as collection:  # elsewhere
        assert collection.config == CONFIG
        assert collection.search("kiwi").hits[0].id == "kiwi"


def test_a_cached_query_needs_no_call(collection):
    first = collection.search("which bird").usage
    assert (first.calls, first.cache_hits) == (1, 0)
    assert first.prompt_tokens > 0
    again = collection.search("which bird", legs=[{"name": "dense"}]).usage
    assert again == Usage(cache_hits=1)


def test_without_a_language_model_there_is_no_usage(collection, tmp_path):
    assert collection.search("bird", legs=[{"name": "lexical"}]).usage is None
    legs = {"sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake"))}
    with Collection.create(tmp_path / "other", CollectionConfig(legs=legs)) as other:
        assert other.add(BIRDS).usage is None
        assert other.search("bird").usage is None
        assert other.usage is None


def test_queries_encoded_together_share_the_usage(collection, spy):
    queries = ["kiwi", "a longer query about gulls", "kiwi", "emu"]
    results = collection.search_batch([SearchRequest(query=query) for query in queries])
    assert spy.asked["query"] == [["kiwi", "a longer query about gulls", "emu"]]
    assert [result.usage.calls for result in results] == [1, 1, 0, 1]
    assert [result.usage.cache_hits for result in results] == [0, 0, 1, 0]
    whole = load_encoder(MODEL).encode(spy.asked["query"][0], role="query").usage
    returned = Usage()
    for result in results:
        returned += result.usage
    assert untimed(returned) == untimed(whole + Usage(cache_hits=1))


def test_collection_and_build_sum_the_usage(collection, tmp_path):
    written = collection.usage
    found = [collection.search(query).usage for query in ("kiwi", "emu", "kiwi")]
    total = written
    for usage in found:
        total += usage
    assert untimed(collection.usage) == untimed(total)
    assert total.calls == len(BIRDS) + 2
    report = build(tmp_path / "built", BIRDS, CONFIG)
    assert untimed(report.usage) == untimed(written)


def test_usage_before_an_error_is_counted(collection):
    before = collection.usage.calls
    wrong = {"query": "new", "vectors": {"dense": [0.0] * 3}}
    with pytest.raises(InvalidInputError, match="dimensions"):
        collection.search(SearchRequest(legs=[{"name": "sparse"}, {"name": "dense"}], **wrong))
    assert (
        collection.usage.calls == before + 1
    )  # The text that tells the dimensions is not counted.

    class Closing(NoProgress):
        """Closes the collection once the documents are encoded."""

        def advance(self, n: int = 1) -> None:
            collection.store.close()

    with pytest.raises(StorageError):
        collection.add(
            [replace(bird, text=f"{bird.text} New.") for bird in BIRDS], progress=Closing()
        )
    assert collection.usage.calls == before + 1 + len(BIRDS)


def test_a_wrong_filter_costs_no_call(collection, spy):
    wrong = {"filter": {"year": {"about": 3}}}
    for search in (
        lambda: collection.search("new", **wrong),
        lambda: collection.search_batch(
            [SearchRequest(query="new"), SearchRequest(query="x", **wrong)]
        ),
    ):
        with pytest.raises(InvalidInputError, match="unknown operator"):
            search()
    assert spy.asked["query"] == []


def test_no_view_is_open_while_a_model_encodes_the_query(collection, monkeypatch):
    def writing(self, *arguments):
        collection.add([Document(f"late{len(arguments[1].query)}", "A late kiwi.")])
        return encode(self, *arguments)

    encode = QueryEncoder.encode
    monkeypatch.setattr(QueryEncoder, "encode", writing)
    assert "late4" in {hit.id for hit in collection.search("kiwi").hits}
    found = collection.search_batch([SearchRequest(query="bird"), SearchRequest(query="birds")])
    assert {"late4", "late5"} <= {hit.id for hit in found[0].hits}


def test_concurrent_equal_queries_count_every_call_once(collection, spy):
    barrier = Barrier(8)

    def ask(number):
        barrier.wait()
        return [collection.search(f"query {step}").usage for step in range(20)]

    with ThreadPoolExecutor(8) as pool:
        usages = [usage for found in pool.map(ask, range(8)) for usage in found]
    # Each request has one query for two legs: encoded or from the cache.
    assert all(usage.calls + usage.cache_hits == 1 for usage in usages)
    assert sum(usage.calls for usage in usages) == sum(map(len, spy.asked["query"]))


def test_a_vector_is_refused_by_a_multi_vector_leg(tmp_path):
    encoder = PromptRepsEncoderConfig(model="fake", variant="multi_token_multi")
    config = CollectionConfig(legs={"dense": DenseLeg(encoder=encoder)})
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add(BIRDS)
        assert collection.search("kiwi").hits[0].id == "kiwi"
        with pytest.raises(InvalidInputError, match="several vectors") as caught:
            collection.search(SearchRequest(vectors={"dense": [0.0] * 64}))
        assert caught.value.field == "vectors.dense"


counts = st.integers(0, 10**6)
usages = st.builds(Usage, counts, counts, counts, counts, counts, st.floats(0, 1e6))


@given(usages, st.integers(1, 50))
def test_shares_add_up(usage, parts):
    shares = [usage_share(usage, part, parts) for part in range(parts)]
    total = None
    for one in shares:
        total = add_usages(total, one)
    assert untimed(total) == untimed(usage)
    assert total.seconds == pytest.approx(usage.seconds)
    for field in fields(Usage)[:-1]:
        values = [getattr(one, field.name) for one in shares]
        assert max(values) - min(values) <= 1


def test_no_usage_is_not_zero_usage():
    assert add_usages(None, None) is None
    assert add_usages(None, Usage()) == add_usages(Usage(), None) == Usage()
    assert usage_share(None, 0, 3) is None
