"""HTML becomes Markdown: structure stays, what is not text of the page goes."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.sources.formats.html import decoded, html_text, read_html
from twindex.sources.formats.limits import Limits
from twindex.sources.formats.markdown_text import code, paragraph, table
from twindex.sources.formats.reasons import UnreadableError
from twindex.sources.structure import outline


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "<h1>One</h1><p>two <b>three</b>\n four<h3>Five</h3>",
            "# One\n\ntwo three four\n\n### Five",
        ),
        ("<ul><li>a<ul><li>b</ul><li><p>c<p>d</ul>", "- a\n  - b\n- c\n\nd"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        (
            "<table><caption>cap</caption><tr><th>k<th>v<tr><td>a|b<td>1<p>2</table>",
            "cap\n\n| k | v |\n|---|---|\n| a\\|b | 1 2 |",
        ),
        ("<table><tr><td>one<tr><td>two</table>", "one\n\ntwo"),
        ("<table><tr><td><h2>Layout</h2>text<td>more</table>", "## Layout\n\ntext\n\nmore"),
        ("<pre>def f():\n    return `1`\n</pre>", "```\ndef f():\n    return `1`\n```"),
        ("<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"),
        ("<p># no heading<p>```", "\\# no heading\n\n\\```"),
        ("<script>x<b></script><style>y</style><nav>z</nav><p hidden>w</p>a&amp;b", "a&b"),
        ("<header>h</header><main><p>m</main><footer>f</footer>", "m"),
        ("<h1>h</h1><main></main><p>after", "# h\n\nafter"),
        ('<div role="main"><div>m</div>n</div>o', "m\n\nn"),
        ("<h1>T<a class='headerlink' href='#t'>¶</a></h1>x", "# T\n\nx"),
        ("a<nav>menu</nav>b", "a\n\nb"),
        ("<p>start<nav>never closed<p>end", "start\n\nnever closed\n\nend"),
        ("<p>a<img alt='kestrel' src=x>b<br>c", "a kestrel b c"),
        ("<dl><dt>t<dd>d</dl>", "t\n\nd"),
        ("</table></ul></p></pre><td>x", "x"),
    ],
)
def test_structure(source: str, text: str) -> None:
    assert html_text(source).text == text + "\n"


def test_title_and_metadata() -> None:
    found = html_text(
        '<html lang="en-GB"><head><title>A &amp;\n B</title><meta name=Author content="Jo"><meta '
        'property="article:published_time" content="2024-01-31"></head>x'
    )
    assert found.title == "A & B"
    assert found.metadata == {"language": "en-GB", "author": "Jo", "created": "2024-01-31"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>ä".encode(), "ä"),
        (b"\xef\xbb\xbf<p>\xc3\xa4", "ä"),
        (b"<p>\xe4 \x80", "ä €"),  # Undeclared, as in browsers.
        (b"<meta charset=iso-8859-1><p>\xe4\x80", "ä€"),
        (b'<meta http-equiv=Content-Type content="text/html; charset=koi8-r"><p>\xc1', "а"),
        (b"<?xml version='1.0' encoding='iso-8859-15'?><p>\xa4", "€"),
        ("<p>ä".encode("utf-16"), "ä"),
        (b"<meta charset=utf-16><p>\xc3\xa4", "ä"),
    ],
)
def test_charset(content: bytes, text: str) -> None:
    assert html_text(decoded(content)).text.strip().removeprefix("\ufeff") == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<meta charset=utf-8>\n<p>\xe4", "line 2 is not utf-8"),
        (b"<meta charset=klingon>", "declares the unknown charset 'klingon'"),
        (b"<p>\0", "NUL bytes"),
    ],
)
def test_undecodable_page_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(UnreadableError, match=words) as found:
        decoded(content)
    assert found.value.reason == "damaged"


def test_page_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<html><script>render()</script></html>")
    with pytest.raises(UnreadableError) as found:
        read_html(tmp_path / "a.html", Limits())
    assert found.value.reason == "empty"


words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1)
tags = st.sampled_from(["p", "div", "li", "td", "h2", "table", "ul", "tr", "pre", "section", "b"])


@given(st.lists(st.tuples(tags, st.booleans(), words), min_size=1, max_size=12))
def test_no_word_is_lost_whatever_the_tags(parts: list[tuple[str, bool, str]]) -> None:
    source = "".join(f"<{'' if opens else '/'}{tag}> {escape(word)} " for tag, opens, word in parts)
    text = re.sub(r"[^\w]+", "", html_text(source).text)
    for _, _, word in parts:
        assert re.sub(r"[^\w]+", "", word) in text


lines = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "))


@given(st.lists(lines, max_size=5))
def test_ordinary_text_never_becomes_a_heading_or_code(given_lines: list[str]) -> None:
    text = paragraph("\n".join(given_lines))
    for line in text.split("\n"):
        assert not re.match(r" {0,3}(#{1,6}([ \t]|$)|```|~~~)", line)
    assert text.replace("\\", "") == "\n".join(given_lines).strip().replace("\\", "")


@given(st.text(st.characters(codec="utf-8", categories=["L", "S", "P"]) | st.just("\n")))
def test_code_is_closed_by_its_own_fence(text: str) -> None:
    block = code(text)
    if block:
        fence, *inner, last = block.split("\n")
        assert fence == last
        assert not any(line.strip().startswith(fence) for line in inner)


@given(st.lists(st.lists(words, min_size=2, max_size=4), min_size=1, max_size=4))
def test_cells_of_a_table_can_be_read_back(rows: list[list[str]]) -> None:
    header, _, *others = table(rows).split("\n")
    for line, row in zip([header, *others], rows, strict=True):
        cells = re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |"))
        assert len(cells) == len(row) or any("\\" in cell for cell in row)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "start", ["<a ", "<a x=", "</a ", "<!--", "<!-- >", "<![if ", "<![if >", "<?"]
)
def test_markup_that_never_ends_takes_linear_time(start: str) -> None:
    found = html_text("<p>before</p>" + 60_000 * start)
    assert found.text.startswith("before\n")


def test_text_after_open_markup_is_kept() -> None:
    assert html_text("<p>a <!-- b --> c <!-- d").text == "a c <!-- d\n"
    assert html_text("<p>1 < 2 <b>c</b> <i").text == "1 < 2 c <i\n"
    assert html_text("<!-- x -- ><p>a<![if !IE]>b<![endif]>").text == "ab\n"


@pytest.mark.slow
@pytest.mark.timeout(10)
def test_many_paragraphs_of_a_cell_and_pieces_of_a_title_take_linear_time() -> None:
    word = 2_000 * "x"
    found = html_text("<table><tr><td>a<td>" + 20_000 * f"<p>{word}")
    assert found.text.count(word) == 20_000
    assert len(html_text("<title>" + 20_000 * f"{word}<b>").title) == 20_000 * len(word)


def test_a_line_under_text_is_no_heading() -> None:
    for line in ("------", "===", "  --  ", "-"):
        text = paragraph(f"Totals\n{line}\n\nmore\n{line}\n{line}")
        assert outline(text).headings == ()
        assert text.replace("\\", "") == f"Totals\n{line}\n\nmore\n{line}\n{line}".strip()
    assert paragraph("a\n\n-\n\nb - c\n--d") == "a\n\n-\n\nb - c\n--d"


@pytest.mark.slow
@pytest.mark.timeout(20)
def test_a_quote_that_never_ends_costs_one_page(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("text" + 60_000 * '<a x=">" ' + 'y="<p>')
    with pytest.raises(UnreadableError, match="has tags that never end"):
        read_html(tmp_path / "a.html", Limits())
    assert html_text('<p>one <a href="x>two</a><p>three').text.startswith("one ")
