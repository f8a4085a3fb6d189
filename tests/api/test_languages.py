"""Languages of documents and queries on the command line, over REST and on the page."""

from __future__ import annotations

import json

import pytest

from twindex import Collection
from twindex.api.cli.main import main
from twindex.api.http.shapes.schemas import SearchReply
from twindex.api.pages.results import analyzer_of, query_terms
from twindex.core import Document

TEXTS = {
    "de": "Die Häuser der alten Stadt sind sehr schön und stehen am Fluss.",
    "en": "The houses of the old city are beautiful and stand by the river.",
}


@pytest.fixture
def index(tmp_path, capsys):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"_id": k, "text": v}) + "\n" for k, v in TEXTS.items()))
    path = str(tmp_path / "index")
    flags = ["--dense", "none", "--sparse", "none", "--language", "auto", "--quiet"]
    assert main(["build", path, "--documents", str(corpus), *flags]) == 0
    capsys.readouterr()
    return path


def test_commands_show_and_accept_languages(index, capsys):
    assert main(["info", index]) == 0
    assert "  passages by language: de 1, en 1\n" in capsys.readouterr().out
    assert main(["search", index, "Haus", "--explain"]) == 0
    assert "query in lexical, analysed as: de, en\n" in capsys.readouterr().out
    assert main(["search", index, "Haus", "--query-language", "de", "--json", "--explain"]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply["query_languages"] == {"lexical": ["de"]}
    assert [hit["id"] for hit in reply["hits"]] == ["de"]
    assert main(["search", index, "Haus", "--query-language", "xx"]) == 2
    assert "language: must be one of ar, ca" in capsys.readouterr().err


def test_a_request_names_the_language_of_its_query(client, problem):
    encoder = {"kind": "analyzer", "language": "auto"}
    config = {"legs": {"lexical": {"kind": "lexical", "encoder": encoder}}}
    assert client.put("/v1/collections/two", json=config).status_code == 201
    for name, text in TEXTS.items():
        written = client.put(f"/v1/collections/two/documents/{name}", json={"text": text})
        assert written.status_code in (200, 201), written.text
    search = "/v1/collections/two/search"
    found = client.post(search, json={"query": "Haus", "language": "de", "explain": True})
    reply = SearchReply.model_validate(found.json())
    assert reply.query_languages == {"lexical": ["de"]}
    assert [hit.id for hit in reply.hits] == ["de"]
    assert reply.index.encoder == {"lexical": "auto"}
    wrong = problem(client.post(search, json={"query": "x", "language": "xx"}), 422, "invalid")
    assert wrong.errors[0].field == "language"
    other = client.post("/v1/collections/birds/search", json={"query": "x", "language": "de"})
    assert problem(other, 422, "invalid").errors[0].field == "language"
    page = client.get("/", params={"collection": "two", "q": "das Haus", "explain": "1"}).text
    assert "<mark>Häuser</mark>" in page
    assert "is analysed as: de" in page
    shown = client.get("/document", params={"collection": "two", "id": "de", "q": "Haus"}).text
    assert "Analysed as: de" in shown
    assert "<mark>Häuser</mark>" in shown
    shown = client.get("/document", params={"collection": "birds", "id": "kiwi"}).text
    assert "Analysed as" not in shown


def test_each_document_is_marked_by_its_own_analyzer(index):
    with Collection.open(index) as collection:
        german, english = (analyzer_of(collection, Document(k, v)) for k, v in TEXTS.items())
        assert query_terms(german, "Städte cities") == {"stadt", "citi"}
        assert query_terms(english, "Städte cities") == {"städte", "citi"}
        assert analyzer_of(collection, Document("1", TEXTS["de"])) is german
