"""Answer a question from documents: retrieve passages, then prompt a language model with them.

Shows: search results as a context with numbered sources that an answer can cite.
Needs: the default models, or none with --lexical. The answer needs SmolLM2-135M-Instruct.
Prints: the prompt, and the answer if the model is installed. A model of this size is often wrong.

    python examples/rag.py "Which birds cannot fly?" --documents notes corpus.jsonl
"""

import tempfile
from argparse import ArgumentParser, RawTextHelpFormatter

import twindex
from twindex.llm import Message, Sampling
from twindex.llm.loading import load_model
from twindex.sources import read_documents

BIRDS = [
    twindex.Document("kiwi", "The kiwi of New Zealand cannot fly.", "Kiwi"),
    twindex.Document("emu", "The emu of Australia cannot fly, but it runs 50 km/h.", "Emu"),
    twindex.Document("swift", "Swifts fly for months and sleep in the air.", "Swift"),
]
RULES = "Answer from the sources only. Cite each source that you use by its number, like [1]."


def prompt(question: str, result: twindex.SearchResult) -> list[Message]:
    lines = [f"[{n}] {hit.title} ({hit.id}): {hit.passage_text}" for n, hit in enumerate(result, 1)]
    text = "\n".join([*lines, "", f"Question: {question}"])
    return [Message("system", RULES), Message("user", text)]


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("question", nargs="?", default="Which birds cannot fly?")
    parser.add_argument("--documents", nargs="+", help="files and folders")
    parser.add_argument("--lexical", action="store_true", help="retrieve by BM25 only")
    parser.add_argument("--model", default="SmolLM2-135M-Instruct", help="any causal model")
    options = parser.parse_args()
    legs = {"legs": {"lexical": {"kind": "lexical"}}} if options.lexical else {}
    with (
        tempfile.TemporaryDirectory() as folder,
        twindex.create(f"{folder}/c", twindex.CollectionConfig.parse(legs)) as collection,
    ):
        collection.add(read_documents(options.documents) if options.documents else BIRDS)
        result = collection.search(options.question, limit=3)
    if not result.hits:
        raise SystemExit("no document matches the question: use other words")
    messages = prompt(options.question, result)
    print("\n\n".join(f"{message.role}: {message.content}" for message in messages))
    try:
        model = load_model(options.model)
    except twindex.ModelError as error:
        raise SystemExit(f"no answer: {error}") from None
    print("\nanswer:", model.generate([messages], Sampling(max_tokens=60))[0].text)


if __name__ == "__main__":
    main()
