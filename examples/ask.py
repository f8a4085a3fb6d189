"""Answer a question from documents, with citations that name their quotes.

Shows: an answer while it is written, its citations, and a question without an answer.
Needs: no model; or with --model the language model SmolLM2-135M-Instruct, or any other.
Prints: the answer, a line for each quote, and a line for each passage that was not read.

    python examples/ask.py "Which bird sleeps in the air?" --documents notes corpus.jsonl
"""

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter

import twindex
from twindex.generate import GENERATORS, load_generator
from twindex.generate.spec import parse_spec
from twindex.sources import read_documents

BIRDS = [
    twindex.Document("kiwi", "The kiwi of New Zealand cannot fly.", "Kiwi"),
    twindex.Document("emu", "The emu of Australia cannot fly, but it runs 50 km/h.", "Emu"),
    twindex.Document("swift", "Swifts fly for months and sleep in the air.", "Swift"),
]


def ask(collection: twindex.Collection, question: str) -> None:
    print(f"question: {question}")
    for event in collection.answer_stream(question):
        if event.event == "token":
            print(event.text, end="", flush=True)
        elif event.event == "done":
            answer = event.answer
    print(f"\n{answer.outcome}")
    for citation in answer.citations:
        for quote in citation.quotes:
            print(f'[{quote.number}] {quote.id} supports={citation.supported}: "{quote.text}"')
    for passage in answer.left_out:
        print(f"left out: {passage.id} ({passage.reason})")


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("question", nargs="?", default="Which bird sleeps in the air?")
    parser.add_argument("--documents", nargs="+", help="files and folders")
    parser.add_argument("--model", help="a language model that writes the answer")
    options = parser.parse_args()
    spec = f"language-model:{options.model}" if options.model else "extractive"
    generators = twindex.GeneratorRegistry({"own": load_generator(parse_spec(spec, GENERATORS))})
    config = twindex.CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with (
        tempfile.TemporaryDirectory() as folder,
        twindex.create(f"{folder}/c", config, generators=generators) as collection,
    ):
        collection.add(read_documents(options.documents) if options.documents else BIRDS)
        ask(collection, options.question)
        ask(collection, "Who painted the ceiling?")


if __name__ == "__main__":
    main()
