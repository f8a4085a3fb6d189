"""Answer questions in LangChain from documents in Twindex.

Shows: a retriever and an extractive answer with citations in a chain of LangChain.
Needs: `pip install 'twindex[langchain]'`, but no model. With --url, a running service.
Prints: the passages that the chain found, and the answer.

    python examples/langchain_app.py "How fast is the emu?"
"""

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from langchain_core.documents import Document
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough

import twindex
from twindex.integrations.langchain import TwindexRetriever, TwindexVectorStore

HERE = "http://127.0.0.1:8080"  # A client connects at its first call, if there is one.
CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
BIRDS = [
    Document("The kiwi of New Zealand cannot fly.", id="kiwi", metadata={"title": "Kiwi"}),
    Document("The emu cannot fly, but it runs 50 km/h.", id="emu", metadata={"title": "Emu"}),
]


def chain(collection: Any) -> Runnable[dict[str, str], dict[str, Any]]:
    """Return a chain from a question to the documents that were found and the answer."""
    retriever = TwindexRetriever(collection=collection, k=2)

    def answer(given: Mapping[str, Any]) -> twindex.Answer:
        search = {"filter": {"id": {"in": [document.id for document in given["documents"]]}}}
        return collection.answer(given["question"], search=search)

    found = RunnablePassthrough.assign(documents=itemgetter("question") | retriever)
    return found | RunnablePassthrough.assign(answer=RunnableLambda(answer))


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("question", nargs="?", default="How fast is the emu?")
    parser.add_argument("--url", help="address of a service; without it, the collection is local")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, twindex.Client(options.url or HERE) as client:
        source: Any = client if options.url else twindex
        name = "example-langchain" if options.url else f"{folder}/c"
        with source.open_or_create(name, CONFIG) as collection:
            TwindexVectorStore(collection).add_documents(BIRDS)
            found = chain(collection).invoke({"question": options.question})
    for document in found["documents"]:
        print(f"{document.metadata['twindex']['score']:.2f}  {document.page_content}")
    print("answer:", found["answer"].text)


if __name__ == "__main__":
    main()
