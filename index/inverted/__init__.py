"""Inverted indexes of learned sparse weights and of terms for BM25.

A segment stores a matrix of rows (passages) by terms, compressed by columns. The posting list of
term t is the range indptr[t] to indptr[t + 1] (int64) of two arrays: `rows` (int32, ascending)
and the value of the term in each row. Queries are evaluated term at a time: `scoring` adds up the
posting lists, and `selection` finds the best rows.
"""
