"""Passages that follow headings, and the headings that encoders read before them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twindex.core import Document
from twindex.encoders import (
    PassageConfig,
    TokenReader,
    counted_by_words,
    split_by_tokens,
    split_passages,
)
from twindex.encoders.passages.units import grouped
from twindex.index import CollectionConfig, EncodedDocument
from twindex.search.writing.cutting import passage_texts
from twindex.sources.structure import outline

LINES = st.sampled_from(
    ["# A", "## B", "### C", "One. Two words. Three more words here.", "", "", "- item one",
     "| a | b |", "|---|---|", "```", "x = 1. y = 2.", "\f", "Last words"]
)  # fmt: skip
TEXTS = st.lists(LINES, min_size=1, max_size=30).map("\n".join)
WORDS = TokenReader(limit=1_000, lengths=lambda texts: [len(text.split()) for text in texts])


def words(size: int, **options: object) -> PassageConfig:
    given = {"overlap": 0, "threshold": 0, "structure": True, **options}
    return PassageConfig.parse({"unit": "sentences", "size": size, **given})


def pieces(text: str, size: int, **options: object) -> list[str]:
    return [text[p.start : p.end] for p in split_passages(text, words(size, **options))]


def test_a_passage_ends_before_a_higher_heading():
    text = "# A\n\none two\n\n## B\n\nthree four\n\n# C\n\nfive six seven"
    assert pieces(text, 8) == ["# A\n\none two\n\n## B\n\nthree four", "# C\n\nfive six seven"]
    assert pieces(text, 5) == ["# A\n\none two", "## B\n\nthree four", "# C\n\nfive six seven"]
    assert pieces(text, 8, structure=False) != pieces(text, 8)


def test_structure_is_used_if_no_encoder_counts_tokens():
    text = "# A\n\none two\n\n## B\n\nthree four\n\n# C\n\nfive six seven"

    def cut(**options: object) -> list[str]:
        config = PassageConfig.parse({"size": 8, "overlap": 0, **options})
        return [text[one.start : one.end] for one in split_by_tokens(text, config, [])]

    assert cut(structure=True) == [
        "# A\n\none two\n\n## B\n\nthree four",
        "# C\n\nfive six seven",
    ]
    assert cut() != cut(structure=True)
    for size in (None, 8):
        config = PassageConfig(size=size, overlap=0, structure=True, headings=False)
        used = counted_by_words(config)
        assert (used.structure, used.headings) == (True, False)


def test_headings_stay_with_the_text_below_them():
    text = "# A\n\n## B\n\nOne two three four. Five six seven eight.\n\n## C\n\nnine"
    assert pieces(text, 9) == [
        "# A\n\n## B\n\nOne two three four.",
        "Five six seven eight.",
        "## C\n\nnine",
    ]


def test_rows_items_and_lines_of_code_stay_whole():
    table = "| a. b | c |\n|---|---|\n| d. e | f |\n| g. h | i |"
    assert all(piece.count("|") % 3 == 0 for piece in pieces(table, 8))
    code = "```\na = 1. b = 2.\nc = 3. d = 4.\ne = 5. f = 6.\n```"
    assert pieces(code, 8) == ["```\na = 1. b = 2.", "c = 3. d = 4.", "e = 5. f = 6.\n```"]
    points = "- one two three\n- four five six\n- seven eight"
    assert pieces(points, 8) == [
        "- one two three\n- four five six",
        "- four five six\n- seven eight",
    ]


def test_plain_text_has_no_headings():
    text = "# a comment line\n\none two three\n\n# other comment\n\nfour five six"
    plain = [text[p.start : p.end] for p in split_passages(text, words(12), outline(text, "plain"))]
    assert plain[0].endswith("# other comment")
    assert pieces(text, 12)[0].endswith("one two three")


@given(TEXTS, st.integers(1, 12), st.integers(0, 5), st.sampled_from(["words", "sentences"]))
def test_passages_cover_the_text_and_never_mix_sections(text, size, overlap, unit):
    config = words(size, unit=unit, overlap=min(overlap, size - 1))
    found = split_passages(text, config)
    if not found:
        assert len(text.split()) <= size
        return
    covered = set()
    for passage in found:
        assert len(text[passage.start : passage.end].split()) <= size
        covered.update(range(passage.start, passage.end))
    assert all(char.isspace() for i, char in enumerate(text) if i not in covered)
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(found))


@given(TEXTS, st.integers(3, 30))
def test_tokens_follow_the_same_sections(text, size):
    config = PassageConfig(size=size, overlap=0, structure=True, headings=False)
    found = split_by_tokens(text, config, [WORDS])
    by_words = split_passages(text, words(size))
    assert found == by_words or not found  # A text that an encoder reads to its end stays whole.
    assert found or len(text.split()) <= size


def simple_groups(sections: list[tuple[int, int]], total: int, size: int) -> list[tuple[int, int]]:
    ends = [start for start, _ in sections[1:]] + [total]
    groups: list[list[int]] = []
    for at, (start, level) in enumerate(sections):
        first = groups[-1][0] if groups else None
        if first is None or level < sections[first][1] or ends[at] - sections[first][0] > size:
            groups.append([at])
        else:
            groups[-1].append(at)
        del start
    return [(sections[group[0]][0], ends[group[-1]]) for group in groups]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1), st.integers(1, 30))
def test_groups_are_those_of_a_simple_loop(lengths, size):
    sections, total = [], 0
    for length, level in lengths:
        sections.append((total, level))
        total += length
    assert list(grouped(sections, total, size)) == simple_groups(sections, total, size)


def test_encoders_read_the_headings_above_a_passage():
    text = "# Guide\n\nintro words\n\n## Setup\n\nfirst second third.\n\n### Linux\n\nfourth fifth."
    passages = split_passages(text, words(5))
    item = EncodedDocument(Document("1", text, "Guide"), passages)
    assert passage_texts(item) == [f"Guide {text[p.start : p.end]}" for p in passages]
    assert passage_texts(item, outline(text)) == [
        "Guide # Guide\n\nintro words",
        "Guide ## Setup\n\nfirst second third.",
        "Guide Setup ### Linux\n\nfourth fifth.",
    ]
    whole = EncodedDocument(Document("1", text, "Guide"))
    assert passage_texts(whole, outline(text)) == [f"Guide {text}"]


@given(TEXTS)
def test_no_encoder_cuts_a_passage_with_its_headings(text):
    reader = TokenReader(limit=12, lengths=lambda texts: [len(one.split()) for one in texts])
    config = PassageConfig(structure=True, headings=True)
    passages = split_by_tokens(text, config, [reader], title="Title")
    item = EncodedDocument(Document("1", text, "Title"), passages)
    read = passage_texts(item, outline(text))
    assert max(reader.lengths(read)) <= 12


def test_defaults_of_new_collections_and_of_stored_ones_without_the_fields():
    passages = CollectionConfig().passages
    assert passages.headings
    assert not passages.structure
    stored = CollectionConfig().model_dump(mode="json")
    del stored["passages"]["headings"], stored["passages"]["structure"]
    passages = CollectionConfig.stored(stored).passages
    assert not passages.headings
    assert not passages.structure


ODD = st.sampled_from(
    [":---|---:", "---", "===", "|", "|-|", "a | b", "text. more text here", "", "# A"]
)


@given(st.lists(ODD, max_size=20).map("\n".join), st.integers(1, 6), st.booleans())
def test_lines_that_look_like_rules_of_tables_cut_nothing_wrongly(text, size, structure):
    for unit in ("words", "sentences"):
        found = split_passages(text, words(size, unit=unit, structure=structure))
        covered = {at for p in found for at in range(p.start, p.end)}
        assert not found or all(c.isspace() for i, c in enumerate(text) if i not in covered)
    split_by_tokens(text, PassageConfig(size=size, overlap=0, structure=structure), [WORDS])
