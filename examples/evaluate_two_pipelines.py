"""Compare BM25 with hybrid search on judged queries, with a significance test.

Shows: a data set, runs of two pipelines on one collection, and their comparison.
Needs: the default models. A folder in BEIR's layout is optional.
Prints: the mean of each measure, the difference, its p-value, wins, losses and ties.

Without a folder, the data set is the standard library's documentation. The first sentence of a
docstring is a query, the rest is its document. These queries are easier than those of real users.

    python examples/evaluate_two_pipelines.py scifact
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from itertools import islice
from pathlib import Path

import twindex
from twindex.core import Query
from twindex.eval import BeirDataset, compare_systems, engine_search, measure_run, run_queries
from twindex.sources import read_stdlib_docstrings

PIPELINES = {"BM25": ["lexical"], "hybrid": ["dense", "sparse", "lexical"]}
MEASURES = ("nDCG@10", "R@10")


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", help="corpus.jsonl, queries.jsonl, qrels/test.tsv")
    parser.add_argument("--documents", type=int, default=200, help="number, without a folder")
    arguments = parser.parse_args()
    if arguments.folder:
        data = BeirDataset.open(arguments.folder)
        documents, queries, qrels = data.documents(), data.queries, data.qrels
    else:
        split = [(one.id, *one.text.partition(".\n")[::2]) for one in read_stdlib_docstrings()]
        kept = list(islice((one for one in split if len(one[2]) > 200), arguments.documents))
        documents = (twindex.Document(id_, rest) for id_, _, rest in kept)
        queries = [Query(id_, first) for id_, first, _ in kept]
        qrels = {query.id: {query.id: 1} for query in queries}
    with tempfile.TemporaryDirectory() as folder:
        twindex.build(Path(folder) / "c", documents)
        with twindex.open(Path(folder) / "c") as collection:
            measured = []
            for name, legs in PIPELINES.items():
                search = engine_search(collection, legs=[{"name": leg} for leg in legs])
                measured.append(measure_run(name, run_queries(search, queries), qrels, MEASURES))
    for line in compare_systems(measured, MEASURES):
        print(line.name, *(f"{name} {value:.4f}" for name, value in line.means.items()), sep="  ")
        for name, found in (line.comparisons or {}).items():
            against = f"{found.wins} wins, {found.losses} losses, {found.ties} ties"
            print(f"  {name}: {found.difference:+.4f}, p = {found.p_value:.4f}; {against}")


if __name__ == "__main__":
    main()
