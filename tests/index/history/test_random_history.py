"""Every commit of a random history is found again, against a list of all states."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from twindex.core import Document, GoneError, NotFoundError
from twindex.core.filters import meets, parse_filter
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, HistoryConfig, LexicalLeg, StorageConfig
from twindex.search import Collection

CONFIG = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "lexical": LexicalLeg(encoder=AnalyzerConfig(language="none")),
    },
    storage=StorageConfig(seal_passages=40, max_segments=2),
    history=HistoryConfig(days=30),
)
WORDS = ("kiwi", "emu", "bird", "fruit", "green")
FILTERS = (None, {"n": {"gte": 2}}, {"not": {"tag": "red"}}, {"id": {"prefix": "d1"}})


def generation(collection: Collection) -> int:
    return int(collection.info()["generation"])


class Model:
    """A collection and the list of the states after each of its commits."""

    def __init__(self, folder, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.collection = Collection.create(folder, CONFIG)
        self.other = Collection.open(folder, read_only=True)
        self.now: dict[str, Document] = {}
        self.states: dict[int, dict[str, Document]] = {}
        self.written: dict[str, list[Document]] = {}
        self.note()

    def note(self) -> None:
        self.states[generation(self.collection)] = dict(self.now)

    def document(self, name: str) -> Document:
        text = " ".join(self.random.choices(WORDS, k=3))
        tag = self.random.choice(["red", "blue"])
        return Document(name, text, metadata={"n": self.random.randrange(4), "tag": tag})

    def put(self, documents) -> None:
        for one in documents:
            if self.now.get(one.id) != one:
                self.written.setdefault(one.id, []).append(one)
            self.now[one.id] = one
        self.collection.add(documents)

    def step(self) -> None:
        pick = self.random.random()
        name = f"d{self.random.randrange(12)}"
        if pick < 0.45:
            ids = {f"d{self.random.randrange(12)}" for _ in range(self.random.randrange(1, 5))}
            self.put([self.document(one) for one in sorted(ids)])
        elif pick < 0.6:
            assert (name in self.now) == (self.collection.delete([name]) == [name])
            self.now.pop(name, None)
        elif pick < 0.65:
            self.collection.delete_where({"n": 3})
            self.now = {k: d for k, d in self.now.items() if d.metadata["n"] != 3}
        elif pick < 0.75 and name in self.now:
            old = self.now[name]
            self.put([Document(name, old.text, metadata={**old.metadata, "n": 9})])
        elif pick < 0.85 and name in self.written:
            version = self.random.choice(self.collection.history(name))
            self.collection.revert(name, version.version)
            if self.now.get(name) != version.document:
                self.written[name].append(version.document)
            self.now[name] = version.document
        elif pick < 0.9:
            self.collection.seal()
        elif pick < 0.95:
            self.collection.merge()
        else:
            self.collection.close()
            self.collection = Collection.open(self.folder)
        self.note()

    def check(self, collection: Collection, commit: int) -> None:
        """Compare the state at a commit with the list: documents, filters, and both legs."""
        state = self.states[commit]
        assert {d.id: d for d in collection.documents(as_of=commit)} == state
        for given in FILTERS:
            condition = parse_filter(given)
            expected = {k for k, d in state.items() if condition is None or meets(d, condition)}
            found = collection.search("bird", legs=["dense"], filter=given, as_of=commit, limit=50)
            assert {hit.id for hit in found} == expected
            assert all(state[hit.id].text == hit.text for hit in found)
            found = collection.search("bird", legs=["lexical"], filter=given, as_of=commit)
            assert {h.id for h in found} == {k for k in expected if "bird" in state[k].text}
        found = collection.search(facets=["n"], sort=["-n"], as_of=commit, limit=50)
        counts: dict[object, int] = {}
        for one in state.values():
            counts[one.metadata["n"]] = counts.get(one.metadata["n"], 0) + 1
        assert {v.value: v.count for v in found.facets[0].counts} == counts
        numbers = [state[hit.id].metadata["n"] for hit in found]
        assert numbers == sorted(numbers, reverse=True)
        name = f"d{self.random.randrange(12)}"
        if name in state:
            assert collection.get(name, as_of=commit) == state[name]
        else:
            with pytest.raises(NotFoundError):
                collection.get(name, as_of=commit)


@pytest.mark.parametrize("seed", range(3))
def test_every_commit_of_a_random_history_equals_the_list(tmp_path, seed):
    model = Model(tmp_path / "c", seed)
    for _ in range(70):
        model.step()
        model.check(model.other, model.random.choice(list(model.states)))
    for collection in (model.collection, model.other):
        for commit in model.states:
            model.check(collection, commit)
    for name, written in model.written.items():
        versions = model.collection.history(name)
        assert [one.document for one in versions] == written[::-1]
        for one in versions:
            assert model.collection.get(name, as_of=one.recorded) == one.document
        numbers = [one.version for one in versions]
        assert numbers == sorted(numbers, reverse=True)
    now = {d.id: d for d in model.collection.documents()}
    assert now == model.now
    assert model.collection.count() == len(now)
    assert model.collection.verify() == []


WRITER = """
import sys
from twindex.search import Collection
collection = Collection.open(sys.argv[1])
n = 0
while True:
    n += 1
    collection.add([{"id": f"d{n % 7}", "text": f"kiwi {n}", "metadata": {"n": n}}])
    print(n, collection.info()["generation"], flush=True)
    if n % 5 == 0:
        collection.seal()
    if n % 11 == 0:
        collection.merge()
"""


@pytest.mark.slow
def test_versions_survive_a_kill(tmp_path):
    folder = tmp_path / "c"
    Collection.create(folder, CONFIG).close()
    noted: dict[int, int] = {}
    for round_ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(20 + round_):
            n, commit = map(int, process.stdout.readline().split())
            noted[commit] = n
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        with Collection.open(folder) as collection:
            assert collection.verify() == []
            for commit, n in noted.items():
                document = collection.get(f"d{n % 7}", as_of=commit)
                assert document.metadata["n"] == n
                (hit,) = collection.search(
                    f"kiwi {n}", filter={"n": n}, as_of=commit, legs=["lexical"]
                )
                assert hit.text == f"kiwi {n}"


def test_states_beyond_the_retention_are_gone(tmp_path, monkeypatch):
    clock = [1_700_000_000_000]
    monkeypatch.setattr("twindex.index.store.database.history.utc_now", lambda: clock[0])
    config = CONFIG.model_copy(update={"history": HistoryConfig(days=2)})
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add([Document("a", "first kiwi")])
        first = generation(collection)
        clock[0] += 86_400_000
        collection.add([Document("a", "second kiwi")])
        second = generation(collection)
        clock[0] += 86_400_000
        assert collection.get("a", as_of=first).text == "first kiwi"
        clock[0] += 1
        assert collection.get("a", as_of=first).text == "first kiwi"  # Current at the horizon.
        clock[0] += 86_400_000
        for use in (
            lambda: collection.get("a", as_of=first),
            lambda: collection.search("kiwi", as_of=first),
            lambda: collection.documents(as_of="2023-11-14T22:13:21Z"),
        ):
            with pytest.raises(GoneError, match=f"horizon.* commit {second} at 2023-11-15"):
                use()
        assert collection.get("a", as_of=second).text == "second kiwi"
        collection.merge()
        assert [one.document.text for one in collection.history("a")] == ["second kiwi"]
        clock[0] -= 40 * 86_400_000  # The clock steps back: order and horizon stay.
        collection.add([Document("a", "third kiwi")])
        assert [one.document.text for one in collection.history("a")] == [
            "third kiwi",
            "second kiwi",
        ]
        with pytest.raises(GoneError):
            collection.get("a", as_of=first)
        assert collection.get("a", as_of=generation(collection)).text == "third kiwi"
        assert collection.verify() == []
