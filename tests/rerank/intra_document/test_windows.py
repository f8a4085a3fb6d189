"""Windows of documents, and BM25 over them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.encoders.passages.passages import word_spans
from twindex.rerank.intra_document.lexical_scorer import LexicalScorer
from twindex.rerank.intra_document.windows import cut


@settings(deadline=None)
@given(st.text(), st.integers(1, 8), st.integers(0, 9))
def test_every_word_is_in_the_middle_of_one_window(text, size, overlap):
    windows = cut(text, size, overlap)
    words = word_spans(text)
    if not words:
        assert windows == [(type(windows[0]))(0, len(text))]
        return
    assert len(windows) == math.ceil(len(words) / size)
    for i, window in enumerate(windows):
        first, last = max(0, i * size - overlap), min(len(words), (i + 1) * size + overlap) - 1
        assert (window.start, window.end) == (words[first][0], words[last][1])
    held = set().union(*(range(window.start, window.end) for window in windows))
    assert all(text[i].isspace() for i in set(range(len(text))) - held)


def test_default_windows_have_64_words():
    text = " ".join(map(str, range(120)))
    pieces = [text[w.start : w.end].split() for w in cut(text)]
    assert [len(piece) for piece in pieces] == [57, 64, 27]
    assert pieces[1] == [str(i) for i in range(43, 107)]


# Lexical scores

WORDS = st.lists(st.sampled_from(["gold", "silver", "iron", "copper", "tin", "lead"]), max_size=40)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_lexical_scores_are_bm25_over_the_windows_of_all_candidates(texts, query):
    scorer = LexicalScorer()
    cuts = [cut(" ".join(words), 4, 1) for words in texts]
    forms = [scorer.prepare(" ".join(w), c) for w, c in zip(texts, cuts, strict=True)]
    found = scorer.scores(" ".join(query), forms)
    bags = [
        [Counter(words[max(0, i - 1) : i + 5]) for i in range(0, max(1, len(words)), 4)]
        for words in texts
    ]
    every = [bag for bags_of in bags for bag in bags_of]
    average = sum(map(Counter.total, every)) / len(every)
    for scores, bags_of in zip(found, bags, strict=True):
        assert scores.dtype == np.float32
        for score, bag in zip(scores, bags_of, strict=True):
            expected = 0.0
            for term in query:
                df = sum(term in other for other in every)
                idf = math.log(1 + (len(every) - df + 0.5) / (df + 0.5))
                norm = 0.9 * (0.6 + 0.4 * bag.total() / (average or 1))
                expected += idf * bag[term] / (bag[term] + norm)
            assert score == pytest.approx(expected, rel=1e-5, abs=1e-6)
