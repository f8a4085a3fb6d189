"""Answers of a model as JSON: which are repaired and which are refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.ask.answers import BadAnswer
from twindex.rerank.criteria.answers import read_criteria, read_scores
from twindex.rerank.criteria.prompts import FIXED
from twindex.rerank.criteria.scores import Criteria, Criterion

from ..house import scaled

TWO = Criteria((Criterion("Depth of detail", "d"), Criterion("recency", "r", maximum=3)))
GOOD = [
    {"document": 1, "relevance": 7.5, "Depth of detail": 2.25, "recency": 0},
    {"document": 2, "relevance": 0, "Depth of detail": 5, "recency": 3},
]
READ = [
    {"relevance": 7.5, "Depth of detail": 2.25, "recency": 0.0},
    {"relevance": 0.0, "Depth of detail": 5.0, "recency": 3.0},
]


def changed(**fields):
    return json.dumps([{**GOOD[0], **fields}, GOOD[1]])


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        json.dumps(GOOD, indent=2),
        f"```json\n{json.dumps(GOOD)}\n```",
        f"Sure [as asked], {{here}} it is:\n{json.dumps(GOOD)}\nI hope that helps [1].",
        json.dumps(GOOD).replace("}", ",}").replace("]", " , ]"),
        json.dumps({"documents": GOOD}),
        json.dumps({"note": "fine", "scores": GOOD}),
        "\n".join(json.dumps(one) for one in GOOD),
        json.dumps(GOOD[::-1]),
        json.dumps(GOOD).replace("Depth of detail", "depth_of_detail").replace("rel", "Rel"),
        json.dumps([{**one, "why": "as [the] text, } says,]"} for one in GOOD]),
        "[" + json.dumps(GOOD),  # The model repeats the given beginning.
    ],
)
def test_readable_answers_are_parsed(text):
    assert read_scores(text, 2, TWO) == READ


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I cannot do that.", "no complete JSON array"),
        ("", "no complete JSON array"),
        ("[]", "no complete JSON array"),
        ("[1, 2]", "no complete JSON array"),
        (json.dumps(GOOD)[:-30], "the scores of document 2 are missing"),
        (json.dumps(GOOD[:1]), "the scores of document 2 are missing"),
        (json.dumps([*GOOD, GOOD[0]]), "the scores of document 1 occur twice"),
        (json.dumps([*GOOD, {**GOOD[0], "document": 3}]), '"document" is 3, not a number from'),
        (json.dumps([{**GOOD[0], "document": 0}]), '"document" is 0'),
        (json.dumps([{**GOOD[0], "document": True}]), '"document" is true'),
        (json.dumps([{"relevance": 1}]), '"document" is missing'),
        (changed(relevance=10.5), '"relevance" of document 1 is 10.5, not a number from 0 to 10'),
        (changed(relevance=-1), "from 0 to 10"),
        (changed(relevance="7"), "not a number"),
        (changed(relevance=None), '"relevance" of document 1 is missing'),
        (changed(relevance=True), "is true"),
        (changed(recency=3.5), "from 0 to 3"),
        (changed(relevance=float("nan")), "NaN is not a number"),
        (changed(relevance=7).replace("7,", "1e999,"), "not a number"),
        (
            changed(relevance=7).replace("7,", "9" * 5000 + ","),
            "the scores of document 1 are missing",
        ),
        (
            changed().replace('"recency": 0', '"recent": 0'),
            'the score "recency" of document 1 is missing',
        ),
        (changed().replace('"recency": 0', '"recency": 0, "recency": 1'), "same name twice"),
        ("[" * 100_000, "no complete JSON array"),
        ('{"a":' * 5_000, "no complete JSON array"),
    ],
)
def test_invalid_answers_are_refused(text, message):
    with pytest.raises(BadAnswer) as caught:
        read_scores(text, 2, TWO)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@settings(max_examples=scaled(300), deadline=None)
@given(st.text(max_size=200) | st.text('[]{}",:0123456789. \n\\document', max_size=200))
def test_any_text_is_parsed_or_refused(text):
    for read in (lambda: read_scores(text, 2, TWO), lambda: read_criteria(text, 0.5)):
        with suppress(BadAnswer):
            assert read()


@settings(max_examples=scaled(100), deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 10), *[st.floats(0, 5) for _ in FIXED]), min_size=1, max_size=12
    ),
    st.randoms(),
)
def test_decimals_are_kept(rows, random):
    names = ["relevance", *(one.name for one in FIXED)]
    entries = [
        {"document": n, **dict(zip(names, row, strict=True))} for n, row in enumerate(rows, 1)
    ]
    random.shuffle(entries)
    found = read_scores(json.dumps(entries), len(rows), Criteria(FIXED))
    assert [tuple(one[name] for name in names) for one in found] == rows


CHOSEN = {
    "criteria": [
        {"name": "Recency\nof evidence", "definition": "how new\nit is", "maximum": 5, "weight": 1},
        {"name": "authority", "definition": "who says it"},
    ],
    "tie_breaker": "Authority",
}


def test_criteria_are_read():
    found = read_criteria(f"```json\n{json.dumps(CHOSEN)},\n```", 0.25)
    assert found == Criteria(
        (
            Criterion("Recency of evidence", "how new it is", 5.0, 1.0),
            Criterion("authority", "who says it", 5.0, 0.25),
        ),
        tie="authority",
    )


def test_relevance_is_not_one_of_the_criteria_and_the_first_decides_ties():
    relevance = {"name": "Relevance", "definition": "that"}
    text = json.dumps({"criteria": [relevance, *CHOSEN["criteria"]], "tie_breaker": "luck"})
    found = read_criteria(text, 0.5)
    assert [one.name for one in found.items] == ["Recency of evidence", "authority"]
    assert found.tie == "Recency of evidence"


def test_brackets_in_names_are_replaced():
    text = json.dumps({"criteria": [{"name": "range [km]", "definition": "how far"}]})
    assert read_criteria(text, 0.5).items[0].name == "range (km)"


def criterion(**fields):
    return json.dumps({"criteria": [{"name": "a", "definition": "b", **fields}]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none", 'a list "criteria" of objects is missing'),
        ('{"criteria": "many"}', 'a list "criteria" of objects is missing'),
        ('{"criteria": ["depth"]}', 'a list "criteria" of objects is missing'),
        ('{"criteria": []}', "there are 0 criteria"),
        (json.dumps({"criteria": [{"name": f"c{i}", "definition": "d"} for i in range(9)]}), "9"),
        (criterion(name=3), '"name" is 3'),
        (criterion(name="!!"), '"name" is'),
        (criterion(name="x" * 61), "not a text of 1 to 60 characters"),
        (criterion(name="document"), "occurs twice, or is reserved"),
        (criterion(definition=""), "not a text of 1 to 400 characters"),
        (criterion(definition="x" * 401), "not a text of 1 to 400 characters"),
        (criterion(maximum=0), '"maximum" of "a" is 0'),
        (criterion(maximum=100), "from 0 to 10"),
        (criterion(weight=-1), '"weight" of "a" is -1'),
        (criterion(weight="0.5"), "not a number"),
        (json.dumps({"criteria": [{"name": "a b", "definition": "d"},
                                  {"name": "A-B", "definition": "d"}]}), "twice"),
    ],
)  # fmt: skip
def test_invalid_criteria_are_refused(text, message):
    with pytest.raises(BadAnswer) as caught:
        read_criteria(text, 0.5)
    assert message in str(caught.value)
