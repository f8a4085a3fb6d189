"""Ask a collection and embed texts with OpenAI's official client.

Shows: an application that uses OpenAI's client and points it at Twindex; citations and a stream.
Needs: the address of a running service (`twindex serve FOLDER --port 8080`), and `pip install
openai`, but no model.
Prints: an answer with its sources, the same answer as a stream, the dimensions of an embedding.

The script creates the collection `example-openai` and deletes it at the end.

    python examples/openai_client.py http://127.0.0.1:8080
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter

import twindex

NAME = "example-openai"
DENSE = {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}}
CONFIG = {"legs": {"dense": DENSE, "lexical": {"kind": "lexical"}}}
TEXTS = {"kiwi": "The kiwi cannot fly. It lives in New Zealand.", "swift": "Swifts fly."}
QUESTION = "Where does the kiwi live?"


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("url", help="address of the service")
    parser.add_argument("--api-key", help="key of the service, if it has one")
    arguments = parser.parse_args()

    from openai import OpenAI

    key = arguments.api_key
    with (
        twindex.Client(arguments.url, api_key=key) as service,
        OpenAI(base_url=f"{arguments.url}/v1", api_key=key or "none") as client,
    ):
        birds = service.create(NAME, CONFIG)
        try:
            birds.add([{"id": name, "text": text} for name, text in TEXTS.items()])
            model, messages = f"rag:{NAME}", [{"role": "user", "content": QUESTION}]
            chat = client.chat.completions
            message = chat.create(model=model, messages=messages).choices[0].message
            print(message.content)
            for one in message.annotations or ():
                print(f"  {one.url_citation.title}: {one.url_citation.url}")

            for chunk in chat.create(model=model, messages=messages, stream=True):
                print(chunk.choices[0].delta.content or "", end="")

            found = client.embeddings.create(model=f"{NAME}/dense", input=list(TEXTS.values()))
            print(f"\n{len(found.data)} embeddings, {len(found.data[0].embedding)} dimensions")
        finally:
            service.drop(NAME)


if __name__ == "__main__":
    main()
