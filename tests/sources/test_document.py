"""Documents are parsed from JSON and validated."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document, InvalidInputError
from twindex.sources import check_document, parse_document

texts = st.text(st.characters(codec="utf-8"))
ids = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=99
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts.filter(bool), inner, max_size=3)
    ),
    max_leaves=8,
)
documents = st.builds(
    Document,
    id=ids,
    title=texts,
    text=texts,
    metadata=st.dictionaries(texts.filter(bool), values, max_size=4),
)


def as_json(document: Document) -> dict[str, object]:
    return {
        "_id": document.id,
        "title": document.title,
        "text": document.text,
        "metadata": document.metadata,
    }


@given(documents)
def test_document_round_trips_through_json(document: Document) -> None:
    assert parse_document(json.loads(json.dumps(as_json(document)))) == document


def test_only_id_and_text_are_required() -> None:
    assert parse_document({"id": "a", "text": ""}) == Document(id="a", text="")
    whole = parse_document({"_id": 7, "text": "x", "title": None, "metadata": None})
    assert whole == Document(id="7", text="x")
    assert parse_document({"_id": "7", "id": 7, "text": "x"}).id == "7"


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ([], None, "not an array"),
        (None, None, "not null"),
        ({"text": "x"}, "id", "is missing"),
        ({"id": "", "text": "x"}, "id", "empty"),
        ({"_id": "", "text": "x"}, "_id", "empty"),
        ({"id": True, "text": "x"}, "id", "not a boolean"),
        ({"id": 1.5, "text": "x"}, "id", "not a number"),
        ({"id": None, "text": "x"}, "id", "not null"),
        ({"id": "a\nb", "text": "x"}, "id", "control"),
        ({"id": "a\x85b", "text": "x"}, "id", "control"),
        ({"id": "é" * 257, "text": "x"}, "id", "at most 512 bytes in UTF-8, got 514"),
        ({"id": "\ud800", "text": "x"}, "id", "surrogate"),
        ({"id": 10**600, "text": "x"}, "id", "at most 512 bytes in UTF-8, got 601"),
        ({"id": 10**5000, "text": "x"}, "id", "too many digits"),
        ({"id": "a", "text": "x", 10**5000: 1}, None, "unknown field"),
        ({"id": "a", "_id": "b", "text": "x"}, "id", "`_id` is 'b', but `id` is 'a'; keep one"),
        ({"id": "a"}, "text", "requires a text"),
        ({"id": "a", "text": None}, "text", "not null"),
        ({"id": "a", "text": ["x"]}, "text", "not an array"),
        ({"id": "a", "text": "\udfff"}, "text", "surrogate"),
        ({"id": "a", "text": "x", "title": 3}, "title", "not an integer"),
        ({"id": "a", "text": "x", "url": "u"}, "url", "unknown field"),
        ({"id": "a", "text": "x", "metadata": []}, "metadata", "not an array"),
        ({"id": "a", "text": "x", "metadata": {"n": math.nan}}, "metadata.n", "finite"),
        ({"id": "a", "text": "x", "metadata": {"n": [1, math.inf]}}, "metadata.n[1]", "finite"),
        ({"id": "a", "text": "x", "metadata": {"n": 2**63}}, "metadata.n", "64 bits"),
        ({"id": "a", "text": "x", "metadata": {"": 1}}, "metadata", "1 to 256"),
        ({"id": "a", "text": "x", "metadata": {"k": {3: 1}}}, "metadata.k", "string keys"),
        ({"id": "a", "text": "x", "metadata": {"s": {"t": {1}}}}, "metadata.s.t", "set"),
    ],
)
def test_error_names_the_field(value: object, field: str | None, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        parse_document(value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        (Document(5, "x"), "id", "not an integer"),  # type: ignore[arg-type]
        (Document("", "x"), "id", "empty"),
        (Document("a\n", "x"), "id", "control"),
        (Document("é" * 257, "x"), "id", "got 514"),
        (Document("a", None), "text", "not null"),  # type: ignore[arg-type]
        (Document("a", "\ud800"), "text", "surrogate"),
        (Document("a", "x", None), "title", "not null"),  # type: ignore[arg-type]
        (Document("a", "x", metadata=None), "metadata", "not null"),  # type: ignore[arg-type]
        (Document("a", "x", metadata={"s": {1}}), "metadata.s", "set"),
        (Document("a", "x", metadata={"n": 10**400}), "metadata.n", "64 bits"),
        (Document("a", "x", metadata={"n": [[math.nan]]}), "metadata.n[0][0]", "finite"),
    ],
)
def test_document_object_is_validated_like_json(document: Document, field: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        check_document(document)
    assert caught.value.field == field


@given(documents)
def test_valid_document_is_unchanged(document: Document) -> None:
    assert check_document(document) == document


def test_metadata_has_at_most_sixteen_levels() -> None:
    def nested(levels: int) -> object:
        return 1 if levels == 0 else {"k": nested(levels - 1)}

    parse_document({"id": "a", "text": "", "metadata": nested(16)})
    with pytest.raises(InvalidInputError, match="16 levels"):
        parse_document({"id": "a", "text": "", "metadata": nested(17)})
    with pytest.raises(InvalidInputError, match="16 levels"):
        parse_document({"id": "a", "text": "", "metadata": nested(900)})


def test_metadata_is_copied() -> None:
    tags = ["a"]
    document = parse_document({"id": "a", "text": "", "metadata": {"tags": tags}})
    tags.append("b")
    assert document.metadata == {"tags": ["a"]}
