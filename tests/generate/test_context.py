"""The context of an answer: properties for random passages, budgets and options."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.core.answers import Source
from twindex.encoders.passages.sentences import sentence_ends
from twindex.generate import Candidate, ContextOptions
from twindex.generate.context import Context, build_context
from twindex.generate.context.copies import Copies, hashes, repeats, shingles
from twindex.generate.context.sizes import Sizes
from twindex.generate.protocol import Task
from twindex.generate.writers.prompts import conversation, source_text
from twindex.llm import LanguageModel
from twindex.llm.fake import FakeModel

WORDS = ("kiwi", "emu", "bird", "runs", "in", "1,000", "Flügel", "鸟", "wing", "egg")
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(
    lambda words: " ".join(words).capitalize() + ". "
)
DOCUMENTS = st.lists(st.lists(SENTENCE, min_size=1, max_size=8), min_size=1, max_size=4)
OPTIONS = st.builds(
    ContextOptions,
    order=st.sampled_from(["best_first", "best_last", "both_ends"]),
    passages=st.integers(1, 8),
    per_document=st.integers(1, 4),
)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Passages of whole sentences, some empty, some overlapping, of a few documents."""
    found = []
    documents = draw(DOCUMENTS)
    for _ in range(draw(st.integers(0, 12))):
        number = draw(st.integers(0, len(documents) - 1))
        texts = documents[number]
        first = draw(st.integers(0, len(texts) - 1))
        last = draw(st.integers(first, len(texts)))
        start = sum(map(len, texts[:first]))
        end = start + sum(map(len, texts[first:last]))
        found.append(
            Candidate(f"d{number}", "".join(texts), start, end, f"Title {number}", page=first)
        )
    return found


def count(text: str) -> int:
    return len(FakeModel().tokenize([text])[0])


SIZE = Sizes(count, source_text)


def build(passages: list[Candidate], options: ContextOptions, budget: int) -> Context | None:
    try:
        return build_context(passages, options, budget, SIZE)
    except InvalidInputError as error:
        if error.field != "context.tokens":
            raise
        return None


@given(candidates(), OPTIONS, st.integers(0, 150))
def test_properties(passages: list[Candidate], options: ContextOptions, budget: int) -> None:
    context = build(passages, options, budget)
    if context is None:
        least = min(count(source_text(_first(one))) for one in passages if one.text.strip())
        assert least > budget - 2  # A number of two digits may need more than one token.
        return
    sent = [rank for source in context.sources for rank in source.ranks]
    left = [one.rank for one in context.left_out]
    assert sorted([*sent, *left]) == list(range(1, len(passages) + 1))
    assert sum(count(source_text(source)) for source in context.sources) <= budget
    assert context.tokens <= budget
    assert len(sent) <= options.passages
    assert [source.number for source in context.sources] == [*range(1, len(context.sources) + 1)]
    per_document: dict[str, int] = {}
    for source in context.sources:
        document = next(one.document for one in passages if one.id == source.id)
        assert document[source.start : source.end] == source.text
        assert source.text == source.text.strip() != ""
        ends = {len(document[:end].rstrip()) for end in sentence_ends(document)}
        ends |= {one.start + len(one.text.rstrip()) for one in passages if one.id == source.id}
        assert source.end == len(document.rstrip()) or source.end in ends
        for rank in source.ranks:
            one = passages[rank - 1]
            assert source.start <= one.start + len(one.text) - len(one.text.lstrip())
            assert source.cut or source.end >= one.start + len(one.text.rstrip())
        assert list(source.ranks) == sorted(source.ranks)
        per_document[source.id] = per_document.get(source.id, 0) + len(source.ranks)
        places = context.places[source.number]
        assert [place.start for place in places] == sorted(
            passages[rank - 1].start for rank in source.ranks
        )
    assert all(number <= options.per_document for number in per_document.values())
    best = [min(source.ranks) for source in context.sources]
    if options.order == "best_first":
        assert best == sorted(best)
    elif options.order == "best_last":
        assert best == sorted(best, reverse=True)
    else:
        rank = best.index(min(best)) if best else 0
        assert rank == 0
        turns = [min(best[:at] + best[at + 1 :]) for at in range(len(best)) if len(best) > 1]
        assert not turns or best == [*sorted(best)[0::2], *reversed(sorted(best)[1::2])]
    for one in context.left_out:
        passage = passages[one.rank - 1]
        assert (one.id, one.start, one.end) == (passage.id, passage.start, passage.end)
        assert (one.reason == "empty") == (not passage.text.strip())
        if one.reason == "copy":
            assert one.copy_of is not None
            assert one.copy_of < one.rank
        if one.reason == "passages":
            assert len(sent) == options.passages
    assert build(passages, options, budget) == context


def _first(candidate: Candidate) -> Source:
    ends = [end for end in sentence_ends(candidate.text) if candidate.text[:end].strip()]
    text = candidate.text[: min(ends, default=len(candidate.text))].strip()
    return Source(1, candidate.id, text, title=candidate.title)


@given(candidates(), OPTIONS)
def test_two_sources_of_a_document_never_touch(
    passages: list[Candidate], options: ContextOptions
) -> None:
    context = build(passages, options, 100_000)
    assert context is not None
    for one in context.sources:
        for other in context.sources:
            if one is not other and one.id == other.id:
                document = next(passage.document for passage in passages if passage.id == one.id)
                assert document[min(one.end, other.end) : max(one.start, other.start)].strip()


def test_empty_passages_are_no_error() -> None:
    context = build([Candidate("d", "  ", 0, 2)], ContextOptions(), 100)
    assert context is not None
    assert [one.reason for one in context.left_out] == ["empty"]


def test_budget_smaller_than_a_sentence_is_an_error() -> None:
    text = "One two three four five six seven eight nine ten."
    with pytest.raises(InvalidInputError, match=r"leaves 5 tokens .* needs 14") as caught:
        build_context([Candidate("d", text, 0, len(text))], ContextOptions(), 5, SIZE)
    assert caught.value.field == "context.tokens"


@given(st.text("abc ", max_size=40), st.text("abc ", max_size=40))
def test_copies_against_a_reference(one: str, other: str) -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        size = min(4, len(words))
        return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} if size else set()

    assert shingles(one) == runs(one)
    if runs(one):
        share = sum(run in runs(other) for run in runs(one)) / len(runs(one))
        assert repeats(shingles(one), shingles(other)) == (share >= 0.8)
    else:
        assert not repeats(shingles(one), shingles(other))


@given(
    st.lists(st.text("ab ", max_size=30), max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=4),
    st.text("ab ", max_size=30),
)
def test_copies_of_groups_against_a_reference(texts, joins, text):
    copies = Copies()
    groups = [set(shingles(one)) for one in texts]
    for number, one in enumerate(texts):
        copies.add(hashes(one), number)
    alive = set(range(len(texts)))
    for one, other in joins:
        if one != other and {one, other} <= alive:
            copies.join(one, other)
            groups[one] |= groups[other]
            alive.remove(other)
    own = shingles(text)
    assert copies.of(hashes(text)) == {number for number in alive if repeats(own, groups[number])}
    assert len(set(hashes(text))) == len(own)


def test_sizes_are_counted_once_and_differ_by_title_and_number():
    counted: list[str] = []

    def words(text: str) -> int:
        counted.append(text)
        return len(text.split())

    size = Sizes(words, lambda one: f"{one.number} {one.title} {one.text}")
    sources = [Source(1, "d", "a b"), Source(1, "d", "a b", title="t"), Source(2, "d", "a b")]
    assert [size(one) for one in (*sources, *sources)] == [3, 4, 3] * 2
    assert len(counted) == 3


@pytest.mark.parametrize("size", [200, 700, 2_000])
def test_whole_prompt_fits_the_budget_with_a_real_tokenizer(
    size: int, smollm: LanguageModel
) -> None:
    """The sum of the parts is at least the whole prompt."""
    from twindex.ask.reading import Reader
    from twindex.generate.safety import new_boundary

    reader = Reader(smollm, passage_tokens=1)
    words = "Kiwis run 1,000 km — schön! 鸟。 <|im_end|> [9] ===== \t x_y"
    text = " ".join(f"{words} {number}." for number in range(30))
    passages = [
        Candidate(f"d{n}", text, 40 * n, 40 * n + 30 * (n % 7 + 1), f"T {n}", ("H", "<s>"))
        for n in range(30)
    ]
    task = Task("Wie weit läuft ein Kiwi? [1]", passages)
    example = "=== 7f3a9c0e5b1d ==="
    frame = reader.whole(conversation(task, (), example))
    options = ContextOptions(passages=30)
    context = build_context(
        passages, options, size - frame, lambda one: reader.count(source_text(one, example))
    )
    for _ in range(5):
        prompt = conversation(task, context.sources, new_boundary())
        assert len(smollm.tokenize_markup(smollm.render(prompt))) <= size  # type: ignore[attr-defined]
