"""Term at a time: walk the lists of the query's terms and add to an accumulator.

Four postings are loaded before the first of them is stored. The rows of one list are distinct, so
this changes nothing but the speed: the compiler cannot know it and would wait for each store.
The order of additions is that of `terms`, in float32, for segments and deltas alike.
"""

from __future__ import annotations

from typing import Any

from ..interpreting import interpreted_first


def listed(indptr: Any, terms: Any) -> int:
    """Number of postings in the lists of these terms."""
    return int((indptr[terms + 1] - indptr[terms]).sum())


@interpreted_first(lambda indptr, rows, weights, terms, factors, accumulator: listed(indptr, terms))
def add_weights(
    indptr: Any, rows: Any, weights: Any, terms: Any, factors: Any, accumulator: Any
) -> None:
    """accumulator[row] += factor * weight, over the postings of each term."""
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
    """The same where the weight of a posting is table[code]."""
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
    """counts[i] = how many rows in the list of terms[i] are live."""
    for index in range(terms.size):
        count = 0
        for posting in range(indptr[terms[index]], indptr[terms[index] + 1]):
            count += live[rows[posting]]
        counts[index] = count
