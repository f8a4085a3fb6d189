"""Answer questions in LlamaIndex from documents in Twindex.

Shows: a retriever and an extractive answer with citations in a query engine of LlamaIndex.
Needs: `pip install 'twindex[llama-index]'`, but no model. With --url, a running service.
Prints: the passages that the query engine found, and the answer.

    python examples/llama_index_app.py "How fast is the emu?"
"""

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import CustomQueryEngine

import twindex
from twindex.integrations.llama_index import TwindexRetriever

HERE = "http://127.0.0.1:8080"  # A client connects at its first call, if there is one.
CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
BIRDS = [
    twindex.Document("kiwi", "The kiwi of New Zealand cannot fly.", "Kiwi"),
    twindex.Document("emu", "The emu cannot fly, but it runs 50 km/h.", "Emu"),
    twindex.Document("swift", "Swifts fly for months and sleep in the air.", "Swift"),
]


class ExtractiveEngine(CustomQueryEngine):
    """Answers with sentences of the passages that a retriever finds."""

    collection: Any

    def custom_query(self, query_str: str) -> Response:
        nodes = TwindexRetriever(self.collection, similarity_top_k=2).retrieve(query_str)
        search = {"filter": {"id": {"in": [node.node.ref_doc_id for node in nodes]}}}
        answer = self.collection.answer(query_str, search=search)
        return Response(answer.text, source_nodes=nodes, metadata={"outcome": answer.outcome})


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("question", nargs="?", default="How fast is the emu?")
    parser.add_argument("--url", help="address of a service; without it, the collection is local")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, twindex.Client(options.url or HERE) as client:
        source: Any = client if options.url else twindex
        name = "example-llama-index" if options.url else f"{folder}/c"
        with source.open_or_create(name, CONFIG) as collection:
            collection.add(BIRDS)
            response = ExtractiveEngine(collection=collection).query(options.question)
    for node in response.source_nodes:
        print(f"{node.score:.2f}  {node.text}")
    print("answer:", response)


if __name__ == "__main__":
    main()
