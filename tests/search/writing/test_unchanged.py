"""Documents that are already stored are skipped, even during concurrent changes."""

from __future__ import annotations

import random
import threading
from dataclasses import replace

import pytest

from twindex.core import ConfigError, ConflictError, Document, NotFoundError
from twindex.encoders import DenseEncoderConfig, load_encoder
from twindex.index import CollectionConfig, DenseLeg, HnswConfig, LexicalLeg, LocalStore
from twindex.search import Collection

CONFIG = CollectionConfig(
    legs={"dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")), "lexical": LexicalLeg()}
)
BIRD = Document(
    "kiwi", "The kiwi cannot fly.", "Kiwi", {"year": 1, "tags": ["a"], "deep": {"x": 1}}
)


class CountingLoader:
    """Loads encoders and counts the loads."""

    def __init__(self):
        self.loads = 0

    def __call__(self, config):
        self.loads += 1
        return load_encoder(config)


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        yield collection


def generation(collection):
    return collection.info()["generation"]


def test_an_unchanged_document_is_neither_encoded_nor_written(collection):
    first = collection.add([BIRD])
    assert (first.documents, first.unchanged) == (1, 0)
    before = generation(collection)
    again = collection.add([BIRD, {"id": "emu", "text": "An emu."}, BIRD])
    assert (again.documents, again.replaced, again.passages, again.unchanged) == (1, 0, 1, 1)
    assert generation(collection) > before
    before = generation(collection)
    assert collection.add([BIRD]).unchanged == 1
    assert generation(collection) == before


@pytest.mark.parametrize(
    "changed",
    [
        replace(BIRD, text=BIRD.text + " "),
        replace(BIRD, title="kiwi"),
        replace(BIRD, metadata={}),
        replace(BIRD, metadata={**BIRD.metadata, "year": 1.0}),
        replace(BIRD, metadata={**BIRD.metadata, "year": True}),
        replace(BIRD, metadata={**BIRD.metadata, "tags": "a"}),
        replace(BIRD, metadata={**BIRD.metadata, "deep": {"x": 2}}),
    ],
)
def test_a_document_with_any_difference_is_written(collection, changed):
    collection.add([BIRD])
    report = collection.add([changed])
    assert (report.documents, report.replaced, report.unchanged) == (1, 1, 0)
    stored = collection.get("kiwi")
    assert stored == changed
    assert repr(stored.metadata) == repr(dict(changed.metadata))


def test_the_order_of_keys_and_the_kind_of_sequence_do_not_count(collection):
    collection.add([BIRD])
    other = {"deep": {"x": 1}, "tags": ("a",), "year": 1}
    assert collection.add([replace(BIRD, metadata=other)]).unchanged == 1


def test_no_model_is_loaded_when_everything_is_unchanged(tmp_path):
    documents = [Document(f"d{i}", f"text {i}") for i in range(700)]
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add(documents)
        collection.merge()
    loader = CountingLoader()
    with Collection.open(tmp_path / "c", encoders=loader) as collection:
        assert collection.add(documents).unchanged == 700
        assert loader.loads == 0
        assert collection.add([*documents, Document("new", "x")]).unchanged == 700
        assert loader.loads == 2
        assert collection.count() == 701


def test_the_last_of_several_with_one_id_decides(collection):
    collection.add([BIRD])
    report = collection.add([replace(BIRD, text="other"), BIRD])
    assert (report.documents, report.unchanged) == (0, 1)
    report = collection.add([BIRD, replace(BIRD, text="other")])
    assert (report.documents, report.unchanged) == (1, 0)
    assert collection.get("kiwi").text == "other"


def test_a_document_deleted_during_the_write_is_written_again(tmp_path):
    """Another process deletes unchanged documents while the rest of the batch is encoded."""
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add([BIRD])
    other = Collection.open(tmp_path / "c")

    def load(config):
        encoder = load_encoder(config)
        inner = encoder.encode

        def encode(texts, **options):
            other.delete(["kiwi"])
            return inner(texts, **options)

        encoder.encode = encode
        return encoder

    with other, Collection.open(tmp_path / "c", encoders=load) as collection:
        report = collection.add([BIRD, Document("emu", "An emu.")])
        assert (report.documents, report.unchanged) == (2, 0)
        assert collection.get("kiwi") == BIRD
        assert other.verify() == []


def test_concurrent_writers_leave_a_serializable_state(tmp_path):
    """Threads of two collections write batches of equal versions and delete them.

    A batch is one change: at every moment, and in the end, all of its documents have the same
    version or none is there.
    """
    names = ["a", "b", "c", "d"]
    stop = threading.Event()
    failures = []

    def work(collection, seed):
        choose = random.Random(seed)
        for _ in range(40):
            if choose.random() < 0.3:
                collection.delete(names)
            else:
                version = choose.choice(["one", "two"])
                collection.add([Document(name, f"{name} {version}") for name in names])

    def watch(collection):
        while not stop.is_set():
            found = collection.documents(limit=10)
            versions = {document.text.split()[1] for document in found}
            if len(versions) > 1 or len(found) not in (0, len(names)):
                failures.append([document.text for document in found])

    Collection.create(tmp_path / "c", CONFIG).close()
    with Collection.open(tmp_path / "c") as one, Collection.open(tmp_path / "c") as two:
        watcher = threading.Thread(target=watch, args=(two,))
        workers = [
            threading.Thread(target=work, args=(collection, seed))
            for seed, collection in enumerate((one, one, two, two))
        ]
        for thread in (watcher, *workers):
            thread.start()
        for thread in workers:
            thread.join()
        stop.set()
        watcher.join()
        assert failures == []
        assert one.verify() == []


def test_open_or_create_creates_and_then_opens(tmp_path):
    path = tmp_path / "c"
    with pytest.raises(NotFoundError):
        Collection.open(path)
    for unchanged in (0, 1):
        with Collection.open_or_create(path, CONFIG) as collection:
            assert collection.add([BIRD]).unchanged == unchanged
    with Collection.open_or_create(path) as collection:
        assert collection.config == CONFIG


def test_open_or_create_names_the_field_that_differs(tmp_path):
    path = tmp_path / "c"
    Collection.create(path, CONFIG).close()
    encoder = DenseEncoderConfig(model="fake", device="cpu")
    elsewhere = CollectionConfig(legs={**CONFIG.legs, "dense": DenseLeg(encoder=encoder)})
    Collection.open_or_create(path, elsewhere).close()
    hnsw = DenseLeg(encoder=DenseEncoderConfig(model="fake"), index=HnswConfig())
    for legs, field, words in [
        ({**CONFIG.legs, "dense": hnsw}, "legs.dense.index.kind", "is 'flat' .* got 'hnsw'"),
        ({"lexical": LexicalLeg()}, "legs.dense", "is an object .* got absent"),
        ({**CONFIG.legs, "lexical": LexicalLeg(k1=2.0)}, "legs.lexical.k1", "got 2.0"),
    ]:
        with pytest.raises(ConfigError, match=words) as caught:
            Collection.open_or_create(path, CollectionConfig(legs=legs))
        assert caught.value.field == field


def test_concurrent_processes_create_one_collection(tmp_path):
    collections, errors = [], []

    def begin():
        try:
            collections.append(Collection.open_or_create(tmp_path / "c", CONFIG))
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    collections[0].add([BIRD])
    assert [collection.get("kiwi") for collection in collections] == [BIRD] * 8
    for collection in collections:
        collection.close()


def test_exactly_one_concurrent_create_succeeds(tmp_path):
    """SQLite does not always wait for other processes when it switches a database to WAL mode."""
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    for number in range(40):
        begin, outcomes = threading.Barrier(8), []

        def create(path=tmp_path / str(number), begin=begin, outcomes=outcomes):
            begin.wait()
            try:
                LocalStore.create(path, config).close()
                outcomes.append("created")
            except ConflictError:
                outcomes.append("there")

        threads = [threading.Thread(target=create) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["created"] + ["there"] * 7
