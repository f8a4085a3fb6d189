"""The section of quality/perplexity.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import chance, counted, part, set_name, table, whole

TITLE = "Retrieved and generated text before a text to predict"
NONE, LEXICAL = "none", "lexical"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Perplexity of {figures['llm']} on the second half of windows of "
        f"{whole(figures['window'])} tokens, lower is better. One passage of at most "
        f"{figures['passage']} tokens stands before the window. The last {figures['query']} tokens "
        "of its first half are the query. The documents that are read are not in the collection. "
        "Passages that repeat the scored text are left out. Brackets hold the p-values of paired "
        "randomisation tests on the log-likelihoods of windows: first against no passage, then "
        "against the passage of BM25. They are not corrected for the number of rows."
    )
    sets = figures["sets"]
    rows = [row["row"] for row in next(iter(sets.values()))["rows"]]
    yield table(
        ["before the window", *(title(name, one) for name, one in sets.items())],
        ([row, *(value(one, row) for one in sets.values())] for row in rows),
    )
    yield " ".join(
        f"{set_name(name)}: {counted(one['documents'], 'document')} in the collection, "
        f"{counted(one['targets'], 'document')} read; a search of all legs takes "
        f"{whole(one['search_ms'])} ms of CPU, a generated text {whole(one['write_ms'])} ms; "
        f"{counted(one['leaking'], 'passage')} left out."
        for name, one in sets.items()
    )


def title(name: str, one: dict[str, Any]) -> str:
    return f"{set_name(name)} ({counted(one['windows'], 'window')})"


def value(one: dict[str, Any], name: str) -> str:
    """A perplexity with its p-values."""
    row = next(row for row in one["rows"] if row["row"] == name)
    chances = [
        chance(row[field])
        for field in (f"p against {NONE}", f"p against {LEXICAL}")
        if field in row
    ]
    return part(row["perplexity"], 2) + (f" ({'; '.join(chances)})" if chances else "")
