"""Words equal those of NLTK's `word_tokenize`."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from twindex.encoders.lexical.words import CLOSERS, LAST_PERIOD, words

SENTENCE_END = re.compile(rf"({LAST_PERIOD}[{CLOSERS}]*)\s+")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("The Quick fox.", "the quick fox ."),
        ("One. Two? Three!", "one . two ? three !"),
        ("It isn't John's, they'll say.", "it is n't john 's , they 'll say ."),
        ("I cannot; he's gonna.", "i can not ; he 's gon na ."),
        ('He said "no" (twice).', "he said `` no '' ( twice ) ."),
        ('"A quote." And more', "`` a quote . '' and more"),
        ("(See this.) Then [that].", "( see this . ) then [ that ] ."),
        ("$3.50, 1,000 and 50%: 10:30", "$ 3.50 , 1,000 and 50 % : 10:30"),
        ("wait... what--no", "wait ... what -- no"),
        ("Smith et al. found i.e. that Dr. No", "smith et al. found i.e. that dr. no"),
        ("state-of-the-art and/or IL-2", "state-of-the-art and/or il-2"),
        ("in 0.05. But at 0.5.", "in 0.05. but at 0.5 ."),
        ("the 5'-end, 'quoted' o'neil", "the 5'-end , ' quoted ' o'neil"),
        ("«Größe» — naïve “x”", "« größe » — naïve “ x ”"),
        ("etc.", "etc ."),
        (".", "."),
        ("a_b\u00a0c", "a_b c"),
    ],
)
def test_words_are_split_like_nltk(text: str, expected: str | list[str]) -> None:
    assert words(text) == (expected if isinstance(expected, list) else expected.split())


@pytest.mark.slow
def test_words_equal_nltk_on_a_corpus(shared_data: Path) -> None:
    """They are equal for 99.9 % of the texts. Runs such as "::" and ".'" inside words differ."""
    tokenize = pytest.importorskip("nltk.tokenize").NLTKWordTokenizer().tokenize
    lines = (shared_data / "scifact" / "corpus.jsonl").read_text().splitlines()
    different = 0
    for line in lines:
        document = json.loads(line)
        text = f"{document['title']} {document['text']}".lower().strip()
        sentences = SENTENCE_END.sub("\\1\0", text).split("\0")
        different += words(text) != [word for part in sentences for word in tokenize(part)]
    assert len(lines) > 5_000
    assert different <= 0.001 * len(lines)


@pytest.mark.parametrize(
    "unit",
    ["a", "'", ".'", "a.' ", '"', ". ", "-", "n't", " ", "a' ", "ab.)", "a's", "cannot", "."],
)
def test_long_text_is_fast(unit: str) -> None:
    begun = time.process_time()
    words(unit * (100_000 // len(unit)) + "x")
    assert time.process_time() - begun < 1
