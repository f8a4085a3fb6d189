"""Values on the pages: filters in words, joined word pieces, Markdown, examples, cards."""

from __future__ import annotations

import re
import subprocess
import time
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.pages import conditions
from twindex.api.pages.explained import joined, piece
from twindex.api.pages.highlight import excerpt
from twindex.api.pages.markdown import blocks, is_markdown
from twindex.core import Contribution, Document, InvalidInputError
from twindex.core.filters import BOOLEAN, NUMBER, STRING, parse_filter
from twindex.encoders import AnalyzerConfig, LexicalEncoder

ENGLISH = LexicalEncoder(AnalyzerConfig())
KINDS = {"year": {NUMBER}, "name": {STRING}, "new": {BOOLEAN}, "mixed": {NUMBER, STRING}}
MANUAL = """# The manual

Read **this** and _that_, see [the page](https://example.org/a_b) or `run_it --now`:

```sh
twindex build c \\
  --encoder x   # a comment
```

- one *item*
- another snake_case_name and 2 * 3 * 4

| a | b |
|---|---|
| 1 | 2 |

Text before code:

    indented = 1
    more = 2

After. The end of it.
"""


def test_marks_are_removed_and_code_keeps_its_lines():
    found = blocks(MANUAL)
    assert [block.text.strip("\n") for block in found if block.kind == "code"] == [
        "twindex build c \\\n  --encoder x   # a comment",
        "    indented = 1\n    more = 2",
    ]
    assert [
        " ".join(block.text.split())
        for block in found
        if block.kind != "code" and block.text.strip()
    ] == [
        "The manual",
        "Read this and that, see the page or run_it --now:",
        "- one item",
        "- another snake_case_name and 2 * 3 * 4",
        "a | b",
        "1 | 2",
        "Text before code:",
        "After. The end of it.",
    ]


def test_marks_may_be_nested_and_continue_on_the_next_line():
    found = blocks("A **[`kiwi`](#a)** of\n**the far\nsouth**. See [a\npage](p.md) or `**kept**`.")
    assert [block.text for block in found] == [
        "A kiwi of\nthe far\nsouth. See a\npage or **kept**."
    ]


def test_headings_have_levels():
    found = blocks("Top\n===\nText\n## Next ##\nC#\n--\n# C#\n| - |\n")
    shown = [(b.kind, b.level, b.text.strip()) for b in found]
    assert shown == [
        ("heading", 1, "Top"),
        ("paragraph", 0, "Text"),
        ("heading", 2, "Next"),
        ("paragraph", 0, "C#\n--"),
        ("heading", 1, "C#"),
    ]


@given(
    st.lists(st.sampled_from(["# ", "**", "`", "```\n", "|", "---", "a", " ", "    ", "\n"])),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_blocks_keep_offsets(pieces, start, end):
    text = "".join(pieces)
    found = blocks(text)
    assert sum(len(block.masked) for block in found) == len(text)
    for block in found:
        original = text[block.start : block.start + len(block.masked)]
        assert all(a in (b, "\0") for a, b in zip(block.masked, original, strict=True))
    whole = "".join(block.clipped(0, len(text)).text for block in found)
    parts = [b.clipped(x, y).text for x, y in ((0, start), (start, len(text))) for b in found]
    assert "".join(parts) == whole


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a/b.MD", "plain", True),
        ("a.txt", "# heading", False),
        ("1", "Text.\n## A heading", True),
        ("1", "a\n```\ncode", True),
        ("1", "See [this](a.html).", True),
        ("1", "def __init__(self, *args, **kwargs): # comment", False),
        ("1", "2 ** 3 and `code`, f(**a, **b), handlers[name](event)", False),
        ("1", "A **bold** word", True),
    ],
)
def test_markdown_is_recognized(name, text, expected):
    assert is_markdown(Document(name, text)) is expected
    assert not is_markdown(Document(name, text, metadata={"type": "text/x-python"}))


@given(st.text(alphabet="ab c.\n", max_size=500))
def test_a_text_without_marks_stays_as_it_is(text):
    assert "".join(block.text for block in blocks(text)) == text


@pytest.mark.parametrize(
    "piece",
    [
        "*",
        "_",
        "`",
        "[",
        "](",
        "**a",
        "_a ",
        "[a](",
        "![",
        "# ",
        "#" + " " * 3_000,
        "|-",
        "- |",
        "| ",
        "**a\n",
        "__a ",
        "[a\n",
        "`a\n",
        "# #",
        "**[`a`](b)** ",
        "    ",
        "\n",
    ],
)
def test_marks_are_removed_in_linear_time(piece):
    text = piece * (20_000 // len(piece))
    began = time.process_time()
    blocks(text)
    is_markdown(Document("1", text))
    excerpt(text, {"a"}, ENGLISH.tokens)
    assert time.process_time() - began < 2


def test_an_excerpt_begins_at_a_sentence_and_marks_what_is_shown():
    text = ("Filler words stand here. " * 60 + "The **kiwi** of `night` runs. ") * 2
    found = excerpt(text, {"kiwi"}, ENGLISH.tokens)
    shown = "".join(fragment.text for fragment in found.fragments)
    assert shown.startswith(("Filler words", "The kiwi"))
    assert "The kiwi of night runs." in shown
    assert {f.text for f in found.fragments if f.marked} == {"kiwi"}
    assert not shown.endswith(("Fille", "word"))


@given(
    st.lists(st.sampled_from(["**kiwi**", "`emu`", "runs.", "\n", "# bird", "sea"]), max_size=400)
)
def test_an_excerpt_never_cuts_a_word(words):
    text = " ".join(words)
    shown = "".join(f.text for f in excerpt(text, {"kiwi"}, ENGLISH.tokens).fragments)
    assert set(re.findall(r"\w+", shown)) <= {"kiwi", "emu", "runs", "bird", "sea"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("year", "eq", "1990"), {"year": 1990}),
        (("year", "gte", "1.5"), {"year": {"gte": 1.5}}),
        (("name", "eq", "1990"), {"name": "1990"}),
        (("name", "lte", "m"), {"name": {"lte": "m"}}),
        (("new", "eq", "true"), {"new": True}),
        (("mixed", "eq", "7"), {"mixed": {"in": [7, "7"]}}),
        (("mixed", "eq", "x"), {"mixed": "x"}),
        (("unknown", "eq", "7"), {"unknown": 7}),
        (("year", "exists", ""), {"year": {"exists": True}}),
    ],
)
def test_form_fields_become_a_condition(row, expected):
    assert conditions.condition(*row, KINDS) == expected
    parse_filter(expected)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (("year", "eq", "old"), "value"),
        (("year", "gte", ""), "value"),
        (("year", "near", "1"), "operator"),
        (("and", "eq", "1"), "field"),
    ],
)
def test_an_invalid_condition_names_its_field(row, field):
    with pytest.raises(InvalidInputError) as caught:
        conditions.condition(*row, KINDS)
    assert caught.value.field == field


def test_conditions_are_added_and_removed():
    one = conditions.joined(None, {"year": 1})
    two = conditions.joined(one, {"name": "x"})
    three = conditions.joined(two, {"year": {"gte": 0}})
    assert two == {"year": 1, "name": "x"}
    assert three == {"and": [{"year": 1}, {"name": "x"}, {"year": {"gte": 0}}]}
    assert conditions.joined(three, {"name": "x"}) == three
    shown = conditions.active(three)
    assert [one["text"] for one in shown] == ["year is 1", "name is x", "year is at least 0"]
    assert shown[2]["without"] == conditions.dumped(two)
    assert conditions.active(one)[0]["without"] == ""


def test_word_pieces_are_joined_into_words():
    def term(name, score):
        return Contribution(name, score, 1.0, score)

    terms = [
        term("the", 3),
        term("predecess", 2),
        term("##or", 1.5),
        term("##s", 0.5),
        term("or", 0.25),
    ]
    rows = joined(terms, ["The Predecessor of it"])
    assert [(row["term"], row["score"]) for row in rows] == [
        ("predecessor", 3.5),
        ("the", 3),
        ("…s", 0.5),
        ("or", 0.25),
    ]
    assert rows[0]["pieces"] == ["predecess", "##or"]
    assert sum(row["score"] for row in rows) == sum(item.score for item in terms)
    assert [piece(term) for term in ("##or", "##", "Ġcat", "cat")] == ["…or", "##", "␣cat", "cat"]


def test_chips_add_a_filter_and_filters_can_be_removed(client):
    page = client.get("/", params={"collection": "birds", "q": "fly"}).text
    link = unescape(re.search(r'<a class="chip" href="([^"]+)"[^>]*>year <b>1813', page)[1])
    page = client.get("/" + link.removeprefix("./")).text
    assert page.count('class="hit"') == 1
    assert "year is 1813" in page
    link = unescape(re.search(r'href="([^"]+)" aria-label="Remove: year is 1813"', page)[1])
    assert client.get("/" + link.removeprefix("./")).text.count('class="hit"') == 3


def test_the_form_filters_by_field(client):
    payload = {
        "collection": "birds",
        "q": "fly",
        "field": "year",
        "operator": "gte",
        "value": "1800",
    }
    page = client.get("/", params=payload).text
    assert page.count('class="hit"') == 1
    assert "year is at least 1800" in page
    assert "{&#34;year&#34;:{&#34;gte&#34;:1800}}" in page  # The JSON field contains the condition.
    wrong = client.get("/", params={**payload, "value": "old"})
    assert wrong.status_code == 422
    message = "must be a number, true or false, as the values of 'year' are; got 'old'"
    assert message in unescape(wrong.text)


def test_the_home_page_shows_the_collections(client):
    page = client.get("/").text
    assert re.search(r"birds</a>\s*<small>3 documents", page)
    assert "lexical: en" in page
    links = re.findall(r'<a class="chip" href="([^"]+)">', page)
    assert len(links) == 3
    for link in links:
        assert 'class="hit"' in client.get("/" + unescape(link).removeprefix("./")).text


def test_only_the_first_hit_is_explained_at_once(client):
    page = client.get("/", params={"collection": "birds", "q": "fly", "explain": "1"}).text
    assert page.count('<details class="explain" open>') == 1
    assert page.count('<details class="explain">') == 2
    rows = re.findall(r"<td>(\d+\.\d{4})</td></tr>", page.partition('class="explain"')[2])
    hits = iter(map(float, rows))
    first = [next(hits) for _ in range(4)]  # Three legs and their sum.
    assert sum(first[:3]) == pytest.approx(first[3], abs=2e-4)


def test_code_in_the_reference_is_marked_as_code(client):
    page = client.get("/docs").text
    assert "The request took longer than its <code>timeout_ms</code>" in page
    assert "`" not in re.sub(r"<(pre|textarea).*?</\1>", "", page, flags=re.S)


def test_examples_of_every_operation_are_programs(client):
    page = client.get("/docs").text
    shown = [
        unescape(text) for text in re.findall(r"<pre[^>]*>(curl .*?|from .*?)</pre>", page, re.S)
    ]
    document = client.get("/openapi.json").json()
    operations = sum(len(methods) for methods in document["paths"].values())
    assert len(shown) == 2 * operations
    assert "<option>birds</option>" in page
    for text in shown:
        if text.startswith("curl"):
            subprocess.run(["bash", "-n", "-c", text], check=True)
        else:
            compile(text, "example", "exec")


def test_examples_of_a_search_work(serving, client):
    with serving(client.app) as address:
        page = client.get("/docs").text
        shown = [unescape(t) for t in re.findall(r"<pre[^>]*>(from .*?)</pre>", page, re.S)]
        (search,) = [t for t in shown if "/collections/birds/search'" in t]
        program = search.replace("http://localhost", address)
        found = subprocess.run(
            ["python", "-c", program], check=True, capture_output=True, text=True
        )
        assert '"hits":[{' in found.stdout
