"""Write to a Twindex service and search it.

Shows: the REST client, which has the methods of a local collection.
Needs: the address of a running service (`twindex serve FOLDER --port 8080`), but no model.
Prints: the number of written documents, the hits, all document ids, and an error of the service.

The script creates the collection `example-birds` and deletes it at the end.

    python examples/rest_client.py http://127.0.0.1:8080
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Iterator

import twindex

NAME = "example-birds"
CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
"""BM25 only. Without a configuration, a collection has dense, sparse and lexical legs."""


def documents() -> Iterator[dict[str, object]]:
    """Yield documents. The client holds one batch in memory and waits for a busy service."""
    yield {"id": "kiwi", "text": "The kiwi cannot fly.", "metadata": {"year": 1813}}
    yield {"id": "emu", "text": "The emu runs and cannot fly.", "metadata": {"year": 1790}}
    yield {"id": "swift", "text": "Swifts fly while they sleep.", "metadata": {"year": 1758}}


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("url", help="address of the service")
    parser.add_argument("--api-key", help="key of the service, if it has one")
    arguments = parser.parse_args()

    with twindex.Client(arguments.url, api_key=arguments.api_key) as client:
        birds = client.create(NAME, CONFIG)
        try:
            report = birds.add(documents())
            print(f"{report.documents} written, {birds.count()} stored")
            print(birds.search("birds that cannot fly", filter={"year": {"gte": 1800}}))
            print("all:", ", ".join(document.id for document in birds.scan()))
            try:
                birds.get("dodo")
            except twindex.NotFoundError as error:
                print("error:", error)
        finally:
            client.drop(NAME)


if __name__ == "__main__":
    main()
