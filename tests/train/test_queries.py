"""Judged queries, negatives and generated queries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document, InvalidInputError, Query
from twindex.llm import Completion
from twindex.train.lexical import LexicalSearch
from twindex.train.lists import PairLists
from twindex.train.negatives import candidates, sample
from twindex.train.queries import TrainingQuery, judged_queries, split
from twindex.train.weak_queries import (
    TRIES,
    cached_queries,
    findable,
    prompt,
    queries_from_texts,
    write_queries,
)


@pytest.fixture(scope="module")
def lexical(documents):
    with LexicalSearch(documents) as search:
        yield search


def test_lexical_search_finds_whole_documents(documents, lexical):
    (ids,) = lexical.search(["kiwi sings"], 5)
    assert ids[0] == "kiwi-sings"
    assert len(ids) == 5 == len(set(ids))


def test_judged_queries_need_a_relevant_document(documents, queries, qrels):
    known = {document.id: document for document in documents}
    found = judged_queries(queries, {**qrels, "kiwi-eats": {"kiwi-eats": 0, "swan-eats": 2}}, known)
    assert next(q for q in found if q.id == "kiwi-eats").positives == ("swan-eats",)
    assert len(found) == len(queries)
    with pytest.raises(InvalidInputError, match="no query has judgements"):
        judged_queries(queries, {"other": {"kiwi-eats": 1}}, known)
    with pytest.raises(InvalidInputError, match="no query has a relevant document"):
        judged_queries(queries, {"kiwi-eats": {"kiwi-eats": 0}, "swan-eats": {"gone": 1}}, known)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(1, 50), st.integers(0, 9))
def test_held_out_queries_are_not_trained_on(texts, held_out, seed):
    queries = [TrainingQuery(str(i), text, ("d",)) for i, text in enumerate(texts)]
    training, validation = split(queries, held_out, seed)
    assert len(validation) == min(held_out, len(texts) // 5)
    assert not {q.text for q in training} & {q.text for q in validation}
    kept = {q.id for q in [*training, *validation]}
    validated = {q.text for q in validation}
    assert all(q.text in validated for q in queries if q.id not in kept)
    assert split(queries, held_out, seed) == (training, validation)


def test_negatives_are_never_positives_nor_copies_of_them(documents, qrels):
    known = {document.id: document for document in documents}
    copy = Document("copy", known["kiwi-eats"].text + " Again.", known["kiwi-eats"].title)
    known["copy"] = copy
    query = TrainingQuery(
        "q", "kiwi", ("kiwi-eats", "kiwi-sings"), excluded=frozenset({"kiwi-hunts"})
    )
    ranked = ["copy", "kiwi-eats", "kiwi-hunts", "swan-eats", "kiwi-sings", "kiwi-sleeps"]
    assert candidates(query, ranked, known) == ["swan-eats", "kiwi-sleeps"]


def test_negatives_of_generated_query_rank_below_its_document(documents):
    known = {document.id: document for document in documents}
    query = TrainingQuery("q", "kiwi", ("kiwi-eats",), "sentence")
    ranked = ["swan-eats", "kiwi-eats", "otter-eats", "lynx-hunts"]
    assert candidates(query, ranked, known) == ["otter-eats", "lynx-hunts"]
    assert candidates(query, ranked[:1], known) == ["swan-eats"]


@given(st.integers(0, 20), st.integers(1, 30), st.integers(0, 5))
def test_sample_is_a_subset_and_depends_on_the_seed(size, count, seed):
    pool = [str(i) for i in range(size)]
    drawn = sample(pool, count, np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn)) == min(size, count)
    assert set(drawn) <= set(pool)
    assert drawn == sample(pool, count, np.random.default_rng(seed))


def test_lists_begin_with_a_positive_and_differ_between_epochs(documents, queries, qrels, lexical):
    known = {document.id: document for document in documents}
    training = judged_queries(queries, qrels, known)
    ranked = lexical.search([query.text for query in training], 30)
    lists = PairLists(training, ranked, known, negatives=4, seed=3)
    texts = {f"{d.title} {d.text}": d.id for d in documents}
    assert sorted(lists.epoch(0)) == list(range(len(training)))
    assert lists.epoch(0) != lists.epoch(1)
    for number in lists.epoch(0):
        one = lists.get(number, 0)
        ids = [texts[text] for text in one.texts]
        assert ids[0] in training[number].positives
        assert not set(ids[1:]) & set(training[number].positives)
        assert set(ids[1:]) <= set(ranked[number])
        assert len(ids) == 5
    drawn = [[lists.get(n, epoch) for n in range(len(lists))] for epoch in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_titles_and_sentences_are_removed_from_their_documents(documents):
    made = queries_from_texts(documents, 30, seed=1)
    assert len(made) == 30
    assert (
        made
        == queries_from_texts(documents, 30, seed=1)
        != queries_from_texts(documents, 30, seed=2)
    )
    known = {document.id: document for document in documents}
    for query in made:
        document = known[query.positives[0]]
        other = next(d for d in documents if d.id != document.id)
        assert query.text not in query.read(document)
        if query.origin == "title":
            assert query.text in document.title
            assert other.title not in query.read(other)
        else:
            assert query.text in document.text
            assert query.read(other) == f"{other.title} {other.text}"
    assert {query.origin for query in made} == {"title", "sentence"}


def test_short_documents_yield_no_queries():
    short = [Document("a", "Too short."), Document("b", "", title="A title of five words")]
    assert queries_from_texts(short, 10, seed=0) == []


def test_queries_that_do_not_find_their_document_are_dropped(lexical):
    good = TrainingQuery("1", "kiwi sings", ("kiwi-sings",), "written")
    bad = TrainingQuery("2", "moose hunts", ("swan-eats",), "written")
    assert findable([good, bad], lexical.search, top=5) == [good]


class Writer:
    """A fake model that returns the given answers in order."""

    def __init__(self, answers):
        self.answers, self.prompts, self.samplings = list(answers), [], []

    def generate(self, prompts, sampling=None):
        self.prompts += prompts
        self.samplings.append(sampling)
        return [Completion(self.answers.pop(0), "stop") for _ in prompts]


def test_bad_queries_are_written_again(documents):
    examples = [(documents[0], "does a kiwi eat at night")]
    writer = Writer(["", "no", "what the animal does here\nDocument: another", *["?"] * TRIES])
    found = write_queries(writer, documents[1:3], examples, 2, seed=0)
    assert [query.text for query in found] == ["what the animal does here"]
    assert len(writer.prompts) == 3 + TRIES
    assert writer.prompts[0] == prompt(documents[1], examples) or writer.prompts[0] == prompt(
        documents[2], examples
    )
    assert writer.prompts[0].count("Relevant Query:") == 2
    assert len({sampling.seed for sampling in writer.samplings[:3]}) == 3


def test_written_queries_are_cached_for_the_same_training(tmp_path):
    made = [TrainingQuery("written:d", "what is it", ("d",), "written")]
    assert cached_queries(tmp_path, "this", lambda: made) == made
    assert cached_queries(tmp_path, "this", list) == made
    assert cached_queries(tmp_path, "another", list) == []


def test_judged_queries_keep_their_order():
    known = {"d": Document("d", "text")}
    queries = [Query("b", "x"), Query("a", "y")]
    qrels = {"a": {"d": 1}, "b": {"d": 1}}
    assert [query.id for query in judged_queries(queries, qrels, known)] == ["b", "a"]
