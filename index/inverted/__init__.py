"""One inverted index for learned sparse weights and for BM25.

A segment is a compressed matrix by columns: `indptr` (int64) says where the list of each term
begins and ends; in it stand, by row ascending, `rows` (int32) and what the row has of the term.
A query is answered term at a time: `scoring` walks its lists, `selection` finds the best rows.
"""
