"""Answer questions in a Haystack pipeline from documents in Twindex.

Shows: a document store, a retriever, a ranker and an extractive answer in a pipeline of Haystack.
Needs: `pip install 'twindex[haystack]'`, but no model. With --url, a running service.
Prints: the passages that the pipeline found, and the answer.

    python examples/haystack_pipeline.py "How fast is the emu?"
"""

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter

from haystack import Document, Pipeline, component
from haystack.document_stores.types import DuplicatePolicy

from twindex.integrations.haystack import TwindexDocumentStore, TwindexRanker, TwindexRetriever

CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
BIRDS = [
    Document(id="kiwi", content="The kiwi of New Zealand cannot fly.", meta={"title": "Kiwi"}),
    Document(id="emu", content="The emu cannot fly, but it runs 50 km/h.", meta={"title": "Emu"}),
]


@component
class ExtractiveAnswerer:
    def __init__(self, store: TwindexDocumentStore) -> None:
        self.store = store

    @component.output_types(answer=str)
    def run(self, query: str, documents: list[Document]) -> dict[str, str]:
        search = {"filter": {"id": {"in": [document.id for document in documents]}}}
        return {"answer": self.store.collection.answer(query, search=search).text}


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("question", nargs="?", default="How fast is the emu?")
    parser.add_argument("--url", help="address of a service; without it, the collection is local")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        name = "example-haystack" if options.url else folder
        store = TwindexDocumentStore(name, url=options.url, config=CONFIG)
        store.write_documents(BIRDS, DuplicatePolicy.OVERWRITE)
        pipeline = Pipeline()
        pipeline.add_component("retriever", TwindexRetriever(store))
        pipeline.add_component("ranker", TwindexRanker("fake", top_k=2))
        pipeline.add_component("answerer", ExtractiveAnswerer(store))
        pipeline.connect("retriever", "ranker").connect("ranker", "answerer.documents")
        given = {key: {"query": options.question} for key in ("retriever", "ranker", "answerer")}
        found = pipeline.run(given, include_outputs_from={"ranker"})
        store.close()
    for document in found["ranker"]["documents"]:
        print(f"{document.score:.2f}  {document.content}")
    print("answer:", found["answerer"]["answer"])


if __name__ == "__main__":
    main()
