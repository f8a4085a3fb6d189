"""Term-at-a-time scoring: adds the weights of one query term after another to the scores of rows.

The kernels load four postings before they store the score of the first one. This is correct
because the rows of a list are distinct. The compiler cannot know that, and would otherwise wait for
each store.

Scores are float32 and added in the order of `terms`. This holds for the delta (documents in memory)
too, so that equal passages get equal scores.
"""

from __future__ import annotations

from typing import Any

from ..interpreting import interpreted_first


def listed(indptr: Any, terms: Any) -> int:
    """Return the total number of postings in the lists of `terms`."""
    return int((indptr[terms + 1] - indptr[terms]).sum())


@interpreted_first(lambda indptr, rows, weights, terms, factors, accumulator: listed(indptr, terms))
def add_weights(
    indptr: Any, rows: Any, weights: Any, terms: Any, factors: Any, accumulator: Any
) -> None:
    """For each posting of terms[i], add factors[i] * weight to the score of the posting's row.

    indptr, rows: see Postings.
    weights:      weight of each posting.
    accumulator:  score of each row.
    """
    for index in range(terms.size):
        start, stop = indptr[terms[index]], indptr[terms[index] + 1]
        factor = factors[index]
        row, weight = rows[start:stop], weights[start:stop]
        whole = row.size - row.size % 4
        for i in range(0, whole, 4):
            a, b, c, d = row[i], row[i + 1], row[i + 2], row[i + 3]
            at_a = accumulator[a] + factor * weight[i]
            at_b = accumulator[b] + factor * weight[i + 1]
            at_c = accumulator[c] + factor * weight[i + 2]
            at_d = accumulator[d] + factor * weight[i + 3]
            accumulator[a], accumulator[b] = at_a, at_b
            accumulator[c], accumulator[d] = at_c, at_d
        for i in range(whole, row.size):
            accumulator[row[i]] += factor * weight[i]


@interpreted_first(
    lambda indptr, rows, codes, table, terms, factors, accumulator: listed(indptr, terms)
)
def add_coded_weights(
    indptr: Any, rows: Any, codes: Any, table: Any, terms: Any, factors: Any, accumulator: Any
) -> None:
    """For each posting of terms[i], add factors[i] * weight to the score of the posting's row.

    indptr, rows: see Postings.
    codes:        code of each posting.
    table:        weight of each code.
    accumulator:  score of each row.
    """
    for index in range(terms.size):
        start, stop = indptr[terms[index]], indptr[terms[index] + 1]
        factor = factors[index]
        row, code = rows[start:stop], codes[start:stop]
        whole = row.size - row.size % 4
        for i in range(0, whole, 4):
            a, b, c, d = row[i], row[i + 1], row[i + 2], row[i + 3]
            at_a = accumulator[a] + factor * table[code[i]]
            at_b = accumulator[b] + factor * table[code[i + 1]]
            at_c = accumulator[c] + factor * table[code[i + 2]]
            at_d = accumulator[d] + factor * table[code[i + 3]]
            accumulator[a], accumulator[b] = at_a, at_b
            accumulator[c], accumulator[d] = at_c, at_d
        for i in range(whole, row.size):
            accumulator[row[i]] += factor * table[code[i]]


@interpreted_first(lambda indptr, rows, terms, live, counts: listed(indptr, terms))
def count_live(indptr: Any, rows: Any, terms: Any, live: Any, counts: Any) -> None:
    """Set counts[i] to the number of live (not deleted) rows in the list of terms[i]."""
    for index in range(terms.size):
        count = 0
        for posting in range(indptr[terms[index]], indptr[terms[index] + 1]):
            count += live[rows[posting]]
        counts[index] = count
