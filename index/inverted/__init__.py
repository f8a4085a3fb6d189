"""Inverted indexes of learned sparse weights and of terms for BM25.

A segment stores a matrix of rows (passages) by terms, compressed by columns. The posting list of
term t is the range indptr[t] to indptr[t + 1] (int64) of two arrays: the rows that contain the term
(int32, ascending), and the value of the term in each of these rows. Queries are evaluated one term
after another: `scoring` adds up the posting lists, and `selection` finds the best rows.
"""
