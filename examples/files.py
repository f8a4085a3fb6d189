"""Search a folder of files: Markdown, text, HTML, PDF, Office files, EPUB and source code.

Shows: how files become documents, and how a second run updates the collection.
Needs: the default models, or no model with --lexical.
       PDF and Office files need `pip install 'twindex[documents]'`.
Prints: the files that cannot be read, the numbers of written, unchanged and deleted documents,
       and the best passage of each hit.

Unchanged files are not encoded again. Documents of deleted files are deleted.

    python examples/files.py notes "how do I deploy"
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from pathlib import Path

import twindex

LEXICAL = twindex.CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of files")
    parser.add_argument("query")
    parser.add_argument("--index", default="files-index", help="folder of the collection")
    parser.add_argument("--lexical", action="store_true", help="use BM25 only, without a model")
    arguments = parser.parse_args()

    config = LEXICAL if arguments.lexical else None  # None opens any existing collection.
    report = twindex.sync(arguments.index, arguments.folder, config)
    for problem in report.problems:
        print(problem)
    print(f"{report.documents} written, {report.unchanged} unchanged, {report.deleted} deleted")
    with twindex.open(arguments.index) as collection:
        for hit in collection.search(arguments.query, limit=5):
            print(f"\n{hit.id}: {hit.title} ({hit.score:.3f})")
            print("   ", " ".join(hit.passage_text.split())[:200])


if __name__ == "__main__":
    main()
