"""Completions compared with a short reference on random documents."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.core.filters import meets, parse_filter
from twindex.encoders import AnalyzerConfig
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection

CONFIG = CollectionConfig(legs={"words": LexicalLeg(encoder=AnalyzerConfig(language="none"))})
WORDS = ["new", "newer", "york", "yorkshire", "yo", "a", "yak", "über", "x_1", "東京"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from([f"d{i}" for i in range(12)]),
            "title": TEXTS.map(str.title),
            "text": TEXTS,
            "metadata": st.fixed_dictionaries({"n": st.integers(0, 2)}),
        }
    ),
    min_size=1,
    max_size=8,
)
STATES = st.lists(
    st.one_of(DOCUMENTS, st.sampled_from(["seal", "merge", "delete", "complete"])), max_size=5
)
FILTERS = st.sampled_from([None, {"n": 1}, {"n": {"gte": 1}}, {"n": 7}])
QUERIES = st.sampled_from(["yo", "new yo", "New y", "york", "zzz new", "a", "yo ", "x_", "", " ne"])


def words(text: str) -> list[str]:
    return [w.lower() for w in re.findall(r"[^\W_東京]+", text)]


def near(prefix: str, word: str) -> bool:
    """Return True if a beginning of `word` is one edit from `prefix`, after its first character."""
    letters = set(prefix + word)
    edits = set()
    for i in range(1, len(prefix) + 1):
        head, tail = prefix[:i], prefix[i:]
        edits |= {head + one + tail for one in letters}
        edits |= {head + one + tail[1:] for one in letters if tail}
        edits |= {head + tail[1:]} if tail else set()
        edits |= {head + tail[1] + tail[0] + tail[2:]} if len(tail) > 1 else set()
    return any(word.startswith(one) for one in edits)


def expected_words(documents, query, typos):
    """Return (word, documents, typos) of all completions, best first."""
    found = re.search(r"[^\W_東京]+$", query)
    if found is None:
        return []
    prefix, before = found[0].lower(), words(query[: found.start()])
    bags = [set(words(f"{one.title} {one.text}")) for one in documents]
    before = {word for word in before if len(word) > 1}
    bags = [bag for bag in bags if before <= bag] or bags
    rows = []
    for word in {word for bag in bags for word in bag if len(word) > 1}:
        wrong = 0 if word.startswith(prefix) else 1
        if wrong == 0 or (typos and len(prefix) >= 3 and near(prefix, word)):
            rows.append((wrong, -sum(word in bag for bag in bags), word))
    return [(word, -count, wrong) for wrong, count, word in sorted(rows)]


def expected_titles(documents, query):
    """Return the ids of all documents whose titles complete a text, best first."""
    text = query.lstrip().lower()
    if not text:
        return []
    found = re.search(r"[^\W_東京]+$", text)
    last = "" if found is None else found[0]
    before = {w for w in words(text[: len(text) - len(last)]) if len(w) > 1}
    rows = []
    for one in documents:
        title, own = one.title.lower(), words(one.title)
        long = [word for word in own if len(word) > 1]
        has = before <= set(own) and (not last or any(word.startswith(last) for word in long))
        if title and (title.startswith(text) or (has and (before or last))):
            rows.append((not title.startswith(text), title, one.id))
    return [name for *_, name in sorted(rows)]


@settings(deadline=None, max_examples=15)
@given(STATES, st.tuples(FILTERS, FILTERS), st.lists(QUERIES, min_size=1, max_size=3))
def test_completions_are_those_of_the_visible_documents(states, filters, queries):
    with tempfile.TemporaryDirectory() as folder:
        collection = Collection.create(Path(folder) / "c", CONFIG)
        for state in states:
            match state:
                case "seal":
                    collection.seal()
                case "merge":
                    collection.merge()
                case "delete":
                    collection.delete(["d1", "d2"])
                case "complete":
                    collection.complete("yo")
                case batch:
                    collection.add(batch)
        try:
            check(collection, filters, queries)
            with Collection.open(collection.path, read_only=True) as opened:
                check(opened, filters, queries)
        finally:
            collection.close()


def check(collection, filters, queries):
    forced, own = filters
    part = collection if forced is None else collection.within(forced)
    conditions = [parse_filter(one) for one in filters if one is not None]
    visible = [one for one in collection.scan() if all(meets(one, c) for c in conditions)]
    for query in queries:
        for typos in (0, 1):
            found = part.complete(query, filter=own, typos=typos, limit=100, titles=100)
            rows = [(one.word, one.documents, one.typos) for one in found.words]
            assert rows == expected_words(visible, query, typos)
            assert all(
                one.text.lower().startswith(query.lower()[:-1]) or typos for one in found.words
            )
            assert [one.id for one in found.titles] == expected_titles(visible, query)
            few = part.complete(query, filter=own, typos=typos, limit=1, titles=1)
            assert few.words == found.words[:1]
            assert few.titles == found.titles[:1]


def test_a_stopped_reading_of_the_words_is_continued(tmp_path, monkeypatch):
    from twindex.index.store.filters import stored_words

    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    monkeypatch.setattr(stored_words, "_CHUNK", 2)
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add([{"id": str(i), "text": f"word{i}"} for i in range(7)])
        plain = stored_words.checkpoint
        for _ in range(2):
            calls = iter([lambda: None, stop])
            monkeypatch.setattr(stored_words, "checkpoint", lambda calls=calls: next(calls)())
            with pytest.raises(StoppedError):
                collection.complete("wo")
        monkeypatch.setattr(stored_words, "checkpoint", plain)
        assert [one.word for one in collection.complete("wo").words] == [
            f"word{i}" for i in range(7)
        ]


def test_bad_requests_name_the_field(tmp_path):
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        for field, value in {"limit": 101, "titles": -1, "typos": 2, "filtr": {}}.items():
            with pytest.raises(InvalidInputError, match=field):
                collection.complete("x", **{field: value})
        with pytest.raises(InvalidInputError, match="text"):
            collection.complete("x" * 1001)
        with pytest.raises(InvalidInputError, match="text"):
            collection.complete("\ud800")
