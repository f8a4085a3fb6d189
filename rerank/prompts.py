"""What language models are asked about a query and passages.

Query and passages are on one line each and contain no double quote (`reading.one_line`), so that no
document can end its own quotation and go on as if it were the prompt; names of special tokens in
them are only text, which the llm room sees to. What prompts of one query share comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

PAIRWISE = """\
Given a query "{query}", which of the following two passages is more relevant to the query?

Passage A: "{first}"

Passage B: "{second}"

Output Passage A or Passage B:"""
"""Pairwise Ranking Prompting (Qin et al., 2023)."""

PAIRWISE_BEGUN = "Passage"
"""How the assistant's turn begins, so that one token tells which."""

POINTWISE = """\
Query: "{query}"

Passage: "{passage}"

Does the passage help to answer the query? Answer Yes or No:"""
"""The relevance generation of Liang et al. (2022) with the query first."""

LISTWISE = """\
Query: "{query}"

{passages}

Order these {count} passages by how relevant they are to the query, the most relevant first. Write \
only their numbers, each of them once, as in [2] > [1]:"""

LISTWISE_BEGUN = "["


def pairwise(query: str, first: str, second: str) -> str:
    return PAIRWISE.format(query=query, first=first, second=second)


def pointwise(query: str, passage: str) -> str:
    return POINTWISE.format(query=query, passage=passage)


def listwise(query: str, passages: Sequence[str]) -> str:
    lines = "\n\n".join(f'[{n}] "{passage}"' for n, passage in enumerate(passages, 1))
    return LISTWISE.format(query=query, passages=lines, count=len(passages))
