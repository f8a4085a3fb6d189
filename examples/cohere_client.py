"""Answer from given documents, and embed texts, with Cohere's official client.

Shows: Cohere's chat with documents and citations, and embeddings as whole numbers.
Needs: the address of a running service (`twindex serve FOLDER --port 8080`), and `pip install
cohere`, but no model.
Prints: the answer, each cited statement with its sources, and the start of an embedding.

The script creates the collection `example-cohere` and deletes it at the end.

    python examples/cohere_client.py http://127.0.0.1:8080
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter

import twindex

NAME = "example-cohere"
CONFIG = {"legs": {"dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}}}}
DOCUMENTS = [
    {"id": "kiwi", "data": {"title": "Kiwi", "text": "The kiwi lives in New Zealand."}},
    {"id": "emu", "data": {"title": "Emu", "text": "The emu lives in Australia."}},
]
MESSAGES = [{"role": "user", "content": "Where does the kiwi live?"}]


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("url", help="address of the service")
    parser.add_argument("--api-key", help="key of the service, if it has one")
    arguments = parser.parse_args()

    import httpx
    from cohere import ClientV2

    key = arguments.api_key
    with twindex.Client(arguments.url, api_key=key) as service, httpx.Client() as connections:
        client = ClientV2(base_url=arguments.url, api_key=key or "none", httpx_client=connections)
        reply = client.chat(model="extractive", messages=MESSAGES, documents=DOCUMENTS)
        print(reply.message.content[0].text)
        for one in reply.message.citations or ():
            print(f"  {one.text} {[source.id for source in one.sources or ()]}")

        service.create(NAME, CONFIG)
        try:
            embedded = client.embed(
                model=f"{NAME}/dense",
                texts=["The kiwi cannot fly."],
                input_type="search_document",
                embedding_types=["int8"],
            )
            print((embedded.embeddings.int8 or [[]])[0][:4])
        finally:
            service.drop(NAME)


if __name__ == "__main__":
    main()
