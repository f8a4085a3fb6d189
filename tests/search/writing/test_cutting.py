"""Documents are cut once, also if they are checked before they are written."""

from __future__ import annotations

import pytest

from twindex.encoders import PassageConfig, load_encoder
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search.encoding.leg_encoders import LegEncoders
from twindex.search.writing import cutting
from twindex.sources import parse_document

CONFIG = CollectionConfig(
    legs={"lexical": LexicalLeg()},
    passages=PassageConfig(unit="words", size=50, overlap=0, threshold=0),
)


@pytest.fixture
def split(monkeypatch):
    """Return a list of the ids of the documents that are split."""
    ids = []
    original = cutting._split
    monkeypatch.setattr(
        cutting,
        "_split",
        lambda document, *rest: ids.append(document.id) or original(document, *rest),
    )
    return ids


def document(id_: str, **fields: object):
    return parse_document({"id": id_, "text": "word " * 5_000, **fields})


def spans(item, config, encoders):
    return cutting.cut_documents([item], config, encoders)[0].stored.passages


def test_a_checked_document_is_cut_once(split):
    encoders = LegEncoders(CONFIG, load_encoder)
    expected = spans(document("1"), CONFIG, encoders)
    split.clear()
    cutting.check_document(document("1"), CONFIG, encoders)
    assert split == ["1"]
    assert spans(document("1"), CONFIG, encoders) == expected
    assert split == ["1"]
    assert spans(document("1"), CONFIG, encoders) == expected  # The passages were used.
    assert split == ["1", "1"]


def test_passages_are_remembered_only_for_equal_documents_and_configurations(split):
    encoders, others = (LegEncoders(CONFIG, load_encoder) for _ in range(2))
    larger = CONFIG.model_copy(
        update={"passages": PassageConfig(unit="words", size=500, overlap=0, threshold=0)}
    )
    cutting.check_document(document("1"), CONFIG, encoders)
    assert len(spans(document("2", text="words " * 5_000), CONFIG, encoders)) == 100
    assert len(spans(document("3"), larger, encoders)) == 10
    spans(document("4"), CONFIG, others)
    spans(document("5", title="Title"), CONFIG, encoders)
    spans(document("6", metadata={"type": "text/plain"}), CONFIG, encoders)
    assert split == ["1", "2", "3", "4", "5", "6"]
    brought = document("7", passages=[[0, 25_000]])
    cutting.check_document(brought, CONFIG, encoders)
    assert len(spans(document("8"), CONFIG, encoders)) == 100
    assert split == ["1", "2", "3", "4", "5", "6"]  # Those of the first one.
