"""Splitting by tokens: every encoder reads every passage completely."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.api.cli.main import main
from twindex.core import ConfigError, Document, InvalidInputError
from twindex.encoders import (
    DenseEncoderConfig,
    EncoderConfig,
    LateEncoderConfig,
    PassageConfig,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
    TokenReader,
    load_encoder,
    split_by_tokens,
    split_passages,
)
from twindex.encoders.passages.tokens import MOST_TOKENS
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg
from twindex.llm import WHEELS
from twindex.llm.weights import places as weights
from twindex.search import Collection

from ..house import scaled

TOKENS = PassageConfig(unit="tokens")
PIECES = [
    "a ",
    "word. ",
    "東京。",
    "x" * 150,
    "😀",
    "é",
    "\n\n",
    "antidisestablishment",
    "! ",
    "End.\n\n",
    "0.5",
]
TEXTS = st.lists(
    st.tuples(st.sampled_from(PIECES), st.integers(1, 90)).map(lambda one: one[0] * one[1]),
    max_size=12,
).map("".join)


@cache
def readers() -> tuple[TokenReader, ...]:
    for name in ("all-MiniLM-L6-v2", "splade-tiny"):
        if weights._member(WHEELS[name]) is None:
            pytest.skip(f"needs the weight wheel: {WHEELS[name].install}")
    dense, sparse = load_encoder(DenseEncoderConfig()), load_encoder(SparseEncoderConfig())
    return dense.reader, sparse.reader  # type: ignore[attr-defined]


def check(text: str, title: str, config: PassageConfig, used: Sequence[TokenReader]) -> None:
    found = split_by_tokens(text, config, used, title=title)
    spans = [(p.start, p.end) for p in found] or [(0, len(text))]
    covered: set[int] = set()
    for start, end in spans:
        assert start < end or not text
        covered.update(range(start, end))
        for reader in used:
            assert reader.lengths([f"{title} {text[start:end]}".strip()])[0] <= reader.limit
    assert all(i in covered or text[i].isspace() for i in range(len(text)))


@settings(max_examples=scaled(40), deadline=None)
@given(TEXTS, st.sampled_from(["", "A title of five words"]), st.sampled_from([None, 40, 100]))
def test_real_tokenizers_read_every_character(text: str, title: str, size: int | None) -> None:
    check(text, title, PassageConfig(unit="tokens", size=size), readers())


@given(TEXTS, st.integers(8, 30))
def test_fake_reads_every_character(text: str, limit: int) -> None:
    encoder = load_encoder(DenseEncoderConfig(model="fake", max_length=limit))
    check(text, "of two", TOKENS, [encoder.reader])  # type: ignore[attr-defined]


def test_period_before_empty_line_leaves_no_empty_passage() -> None:
    """The period and the empty line end one sentence, without an empty sentence between them."""
    encoder = load_encoder(DenseEncoderConfig(model="fake", max_length=8))
    text = "One two three four five six seven eight.\n\nW0 W1 W2 W3 W4 W5 W6 W7. The end."
    reader = encoder.reader  # type: ignore[attr-defined]
    found = split_by_tokens(text, PassageConfig(unit="tokens", size=8, overlap=0), [reader])
    assert [text[p.start : p.end] for p in found] == [
        "One two three four five six seven eight.",
        "W0 W1 W2 W3 W4 W5 W6 W7.",
        "The end.",
    ]


@pytest.mark.parametrize(
    "unit", ["word and ", pytest.param("東京", marks=pytest.mark.slow), "x", "😀", "a.b,c;", "é"]
)
def test_100_000_characters_are_read_completely(unit: str) -> None:
    check((unit * 100_000)[:100_000], "t", TOKENS, readers())


def test_sentences_stay_whole_and_passages_overlap() -> None:
    text = " ".join(f"Sentence {n} has some ordinary words in it." for n in range(120))
    found = split_by_tokens(text, TOKENS, readers())
    assert len(found) > 3
    assert all(text[p.start :].startswith("Sentence") and text[p.end - 1] == "." for p in found)
    assert all(b.start < a.end for a, b in pairwise(found))


@pytest.mark.parametrize(
    "config",
    [
        DenseEncoderConfig(model="fake", max_length=20, document_prompt="a passage "),
        SparseEncoderConfig(model="fake", max_length=20),
        LateEncoderConfig(model="fake", document_length=20, document_prompt="a passage "),
        TildeEncoderConfig(model="fake", max_length=20),
        PromptRepsEncoderConfig(model="fake", max_length=20),
        TildeEncoderConfig(model="splade-tiny", max_length=20),
        LateEncoderConfig(model="all-MiniLM-L6-v2", document_length=20),
    ],
    ids=lambda config: f"{type(config).__name__}-{config.model}",
)
def test_every_kind_of_encoder_reads_whole_passages(config: EncoderConfig) -> None:
    if config.model != "fake":
        readers()
    encoder = load_encoder(config)
    text = "One short sentence. Another, which is a little longer than the first one! " * 9
    found = split_by_tokens(text, TOKENS, [encoder.reader], title="Of two")  # type: ignore[attr-defined]
    assert len(found) > 5
    read = [f"Of two {text[p.start : p.end]}" for p in found]
    truncated = encoder.encode([*read, text], role="document").truncated
    assert truncated is not None
    assert truncated.tolist() == [False] * len(read) + [True]


@pytest.mark.parametrize("words", [20, 200, 2_000])
def test_long_title_leaves_half_the_room_for_text(words: int) -> None:
    """The encoder truncates these passages, but the text is not split into letters."""
    text = "A sentence of six words here. " * 100
    reader = load_encoder(DenseEncoderConfig(model="fake", max_length=40)).reader  # type: ignore[attr-defined]
    found = split_by_tokens(text, TOKENS, [reader], title="title " * words)
    assert 600 / 40 <= len(found) <= 600 / 12
    assert all(text[p.start : p.end].count(" ") > 10 for p in found)


def test_encoder_with_a_high_limit_gets_passages() -> None:
    reader = load_encoder(DenseEncoderConfig(model="fake", max_length=100_000)).reader  # type: ignore[attr-defined]
    found = split_by_tokens("Six words are in this one. " * 1_000, TOKENS, [reader])
    assert len(found) == 13  # Adjacent passages share five sentences.
    assert max(p.end - p.start for p in found) <= 27 * MOST_TOKENS / 6


def test_without_a_limit_a_word_counts_as_a_token() -> None:
    text = "word " * 600
    words = PassageConfig(unit="words", overlap=32)
    assert split_by_tokens(text, TOKENS, []) == split_passages(text, words)
    sized = PassageConfig(unit="tokens", size=50, overlap=9)
    words = PassageConfig(unit="words", size=50, overlap=9, threshold=0)
    assert split_by_tokens(text, sized, []) == split_passages(text, words)


@pytest.mark.slow
def test_dense_leg_finds_a_fact_at_the_end(tmp_path: Path) -> None:
    readers()
    topics = ["harvests", "bridges", "violins", "glaciers", "taxes", "engines", "poems", "ships"]
    filler = " ".join(
        f"The report on {topics[n % 8]} lists {n} entries and their dates." for n in range(42)
    )
    fact = "The capital of the island of Orvonia is Tesselby."
    documents = [
        Document(id=f"d{n}", text=filler.replace("report", topics[n % 8])) for n in range(20)
    ]
    documents.append(Document(id="fact", text=f"{filler} {fact}"))
    config = CollectionConfig(legs={"dense": DenseLeg()}, passages=TOKENS)
    with Collection.create(tmp_path / "c", config) as collection:
        report = collection.add(documents)
        assert not report.truncated
        hits = collection.search("What is the capital of Orvonia?").hits
    assert hits[0].id == "fact"


def test_document_of_too_many_passages_is_named(tmp_path: Path) -> None:
    config = CollectionConfig(
        legs={"bm25": LexicalLeg()},
        passages=PassageConfig(unit="words", size=2, overlap=1, threshold=0),
    )
    with Collection.create(tmp_path / "c", config) as collection:
        with pytest.raises(InvalidInputError, match=r"document 'big'.*more than 20,000 passages"):
            collection.add([Document(id="big", text="a " * 30_000)])
        assert collection.count() == 0


def test_defaults_depend_on_the_unit() -> None:
    assert PassageConfig() == TOKENS
    assert (TOKENS.size, TOKENS.overlap, TOKENS.threshold) == (None, 32, 0)
    assert PassageConfig.parse(TOKENS.model_dump()) == TOKENS
    for unit in ("words", "sentences"):
        found = PassageConfig.parse({"unit": unit, "size": None})
        assert (found.size, found.overlap, found.threshold) == (200, 40, 512)
        assert PassageConfig.parse(found.model_dump()) == found
    with pytest.raises(
        ConfigError, match=r"threshold must be 0 .* got 5: .* 'words' or 'sentences'"
    ):
        PassageConfig.parse({"threshold": 5})


def test_info_shows_the_passage_size(tmp_path: Path) -> None:
    legs = {
        "dense": {"kind": "dense", "encoder": {"model": "fake", "max_length": 60}},
        "sparse": {"kind": "sparse", "encoder": {"model": "fake", "max_length": 90}},
    }
    with Collection.create(tmp_path / "c", CollectionConfig.parse({"legs": legs})) as collection:
        collection.add([Document(id="a", text="Eight words are in this sentence of mine. " * 20)])
        info = collection.info()
    assert info["cut"] == {"unit": "tokens", "size": 60, "leg": "dense", "overlap": 30, "whole": 0}
    assert info["passages"] == 5  # Each has seven sentences, of which four are shared.


@pytest.mark.parametrize(
    ("passages", "size"), [({}, 200), ({"size": 90}, 90), ({"unit": "none"}, None)]
)
def test_info_without_a_limit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    passages: dict[str, object],
    size: int | None,
) -> None:
    config = CollectionConfig.parse({"legs": {"l": {"kind": "lexical"}}, "passages": passages})
    with Collection.create(tmp_path / "c", config) as collection:
        assert collection.info()["cut"]["unit"] == config.passages.unit
        assert main(["info", str(tmp_path / "c")]) == 0
        collection.add([Document(id="a", text="word " * 600)])
        assert collection.info()["cut"]["size"] == size
    assert main(["info", str(tmp_path / "c")]) == 0
    shown = capsys.readouterr().out
    assert ("documents of up to 512 words stay whole" in shown) == (size == 200)
    assert ("whole documents" if size is None else f"at most {size} words") in shown


def test_collection_keeps_its_passage_options(tmp_path: Path) -> None:
    """All options are stored, so a new default does not change an existing collection."""
    words = CollectionConfig(passages=PassageConfig(unit="words"), legs={"l": LexicalLeg()})
    assert '"unit":"words","size":200' in words.model_dump_json()
    with Collection.create(tmp_path / "c", words) as collection:
        collection.add([Document(id="a", text="word " * 513)])
        assert collection.info()["passages"] == 3
    with Collection.open_or_create(tmp_path / "c") as collection:
        assert collection.config == words


def test_no_passage_is_stored_twice() -> None:
    """Overlapping pieces may have equal halves."""

    class Words:
        limit = 20

        def lengths(self, texts: Sequence[str]) -> list[int]:
            return [len(text.split()) for text in texts]

    class Letters:
        limit = 64

        def lengths(self, texts: Sequence[str]) -> list[int]:
            return [len(text) for text in texts]

    text = "one two. " * 300
    found = split_by_tokens(text, TOKENS, [Words(), Letters()])
    assert len(found) == len({(passage.start, passage.end) for passage in found})
    assert found[-1].end == len(text.rstrip())


@pytest.mark.parametrize("rule", ["|---|:---:|", "| --- | :---: |"])
def test_no_passage_starts_below_the_header_of_a_table(rule: str) -> None:
    encoder = load_encoder(DenseEncoderConfig(model="fake", max_length=16))
    row = "| a cell of some words | another cell |\n"
    for before in range(30):
        text = f"{'word ' * before}\n\n{row}{rule}\n{row * 4}"
        found = split_by_tokens(text, TOKENS, [encoder.reader])  # type: ignore[attr-defined]
        start, end = text.index(rule) - 1, text.index(rule) + len(rule)
        assert len(found) > 2
        assert [p for p in found if start < p.start < end] == []


def test_an_overlap_above_the_default_size_in_words_is_halved():
    text = " ".join(f"w{i}" for i in range(1_500))
    found = split_by_tokens(text, PassageConfig(overlap=300), [])
    assert len(found) == 14
    assert len(text[found[0].start : found[0].end].split()) == 200
    assert len(split_by_tokens(text, PassageConfig(overlap=150), [])) == 27
