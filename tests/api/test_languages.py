"""Languages of documents and queries on the command line, over REST and on the page."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from twindex import Collection
from twindex.api.cli.main import main
from twindex.api.http.shapes.schemas import SearchReply
from twindex.api.pages.results import QueryWords
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


CSV = f"""\
_id,title,text,language,title_language
a,Running houses,{TEXTS["de"]},,en
b,Running houses,Häuser,de,en-GB
c,Running houses,{TEXTS["de"]},de,
d,Die Häuser,{TEXTS["en"]},python,de
"""


def test_columns_of_a_table_name_languages(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text(CSV)
    path = str(tmp_path / "index")
    only = ["--dense", "none", "--sparse", "none", "--language", "de,en", "--quiet"]
    assert main(["build", path, "--documents", str(table), *only]) == 0
    assert main(["info", path]) == 0
    assert "  passages by language: de 4, en 3\n" in capsys.readouterr().out

    def found(query, *flags):
        assert main(["search", path, query, "--json", *flags]) == 0
        return {hit["id"] for hit in json.loads(capsys.readouterr().out)["hits"]}

    assert found("run", "--query-language", "en") == {"a", "b"}
    assert found("running", "--query-language", "de") == {"c"}
    assert found("Haus", "--query-language", "de") == {"a", "b", "c", "d"}
    assert found("Haus", "--filter", '{"title_language": "de"}') == {"d"}
    main(["search", path, "Haus", "--explain", "--filter", '{"title_language": "en"}'])
    assert "query in lexical, analysed as: de, en\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--metadata-fields", "language,title_language"], "de 4, en 3"),
        (["--metadata-fields", "language"], "de 3, en 1"),
    ],
)
def test_columns_that_are_not_stored_name_no_language(tmp_path, capsys, flags, expected):
    table = tmp_path / "table.csv"
    table.write_text(CSV)
    path = str(tmp_path / "index")
    only = ["--dense", "none", "--sparse", "none", "--language", "de,en", "--quiet"]
    assert main(["build", path, "--documents", str(table), *only, *flags]) == 0
    assert main(["info", path]) == 0
    assert f"  passages by language: {expected}\n" in capsys.readouterr().out


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


@pytest.fixture
def titled(client):
    """A client whose collection `two` has a German document with an English title."""
    encoder = {"kind": "analyzer", "language": "de,en"}
    config = {"legs": {"lexical": {"kind": "lexical", "encoder": encoder}}}
    assert client.put("/v1/collections/two", json=config).status_code == 201
    mixed = {
        "title": "Running houses",
        "text": TEXTS["de"],
        "metadata": {"title_language": "en-GB"},
    }
    for name, document in (("mixed", mixed), ("en", {"text": TEXTS["en"]})):
        written = client.put(f"/v1/collections/two/documents/{name}", json=document)
        assert written.status_code in (200, 201), written.text
    return client


def test_a_title_has_a_language_of_its_own_over_rest_and_on_pages(titled):
    info = titled.get("/v1/collections/two").json()
    assert info["legs"]["lexical"]["languages"] == {"en": 2, "de": 1}
    assert titled.get("/v1/collections/two/documents/mixed").json()["metadata"] == {
        "title_language": "en-GB"
    }
    search = "/v1/collections/two/search"
    filtered = {"query": "run", "language": "en", "filter": {"title_language": {"exists": True}}}
    for body in (filtered, {"query": "run"}, {"query": "Haus", "language": "de"}):
        reply = SearchReply.model_validate(titled.post(search, json=body).json())
        assert [hit.id for hit in reply.hits] == ["mixed"], body
    page = titled.get("/", params={"collection": "two", "q": "house runs"}).text
    assert "<mark>Running</mark> <mark>houses</mark>" in page
    page = titled.get("/", params={"collection": "two", "q": "die Running Haus"}).text
    assert "<mark>Häuser</mark>" in page
    assert ">Die <mark>" in page
    assert "<mark>Running</mark> houses" in page
    shown = titled.get("/document", params={"collection": "two", "id": "mixed", "q": "run Haus"})
    assert "Analysed as: de, title: en" in shown.text
    assert "<mark>Running</mark> houses</h1>" in shown.text
    assert "<mark>Häuser</mark>" in shown.text


def choices(text):
    """Return the languages that a page offers, and the selected one; None without the field."""
    found = re.search(r'<select name="language">(.*?)</select>', text, re.DOTALL)
    if found is None:
        return None
    values = re.findall(r'<option value="([^"]*)"( selected)?>', found[1])
    return [value for value, _ in values], [value for value, chosen in values if chosen]


def test_the_page_offers_the_languages_of_the_collection(titled):
    def page(status=200, **parameters):
        reply = titled.get("/", params={"collection": "two", **parameters})
        assert reply.status_code == status
        return reply.text

    assert choices(page()) == (["", "de", "en"], [""])
    assert ">detect</option>" in page()
    assert "is analysed as: de, en" in page(q="Haus", explain="1")
    text = page(q="Haus", language="de", explain="1")
    assert choices(text) == (["", "de", "en"], ["de"])
    assert "is analysed as: de<" in text
    assert choices(page(q="Haus", language="de-CH")) == (["", "de", "de-CH", "en"], ["de-CH"])
    refused = page(422, q="Haus", language="xx")
    assert "<code>language</code>: must be one of de, en" in refused
    assert choices(refused) == (["", "de", "en", "xx"], ["xx"])
    titled.put("/v1/collections/two/documents/x", json={"text": "x"})
    assert choices(page(q="Haus")) == (["", "de", "en"], [""])


def test_the_page_keeps_the_language_in_links(titled):
    for n in range(3):
        titled.put(f"/v1/collections/two/documents/{n}", json={"text": f"{TEXTS['de']} {n}"})
    address = {"collection": "two", "q": "Haus", "language": "de", "limit": "1"}
    text = titled.get("/", params=address).text
    following = unescape(re.search(r'rel="next" href="([^"]*)"', text)[1])
    assert choices(titled.get(following).text)[1] == ["de"]
    shown = titled.get(unescape(re.search(r'<h2><a href="([^"]*)"', text)[1])).text
    back = unescape(re.search(r'class="back"><a href="([^"]*)"', shown)[1])
    assert choices(titled.get(back).text)[1] == ["de"]


def test_the_page_offers_no_language_without_a_leg_that_detects_them(titled):
    for parameters in ({}, {"q": "kiwi"}, {"q": "kiwi", "language": "de"}):
        reply = titled.get("/", params={"collection": "birds", **parameters})
        assert reply.status_code == 200
        assert choices(reply.text) is None


def test_the_page_ignores_the_language_if_no_selected_leg_detects_it(client, fake_config):
    fake_config["legs"]["lexical"]["encoder"] = {"kind": "analyzer", "language": "auto"}
    assert client.put("/v1/collections/auto", json=fake_config).status_code == 201
    client.put("/v1/collections/auto/documents/uk", json={"text": "Будинки старого міста"})
    search = {"collection": "auto", "q": "Haus", "language": "none"}
    for leg in ("dense", "lexical"):
        reply = client.get("/", params={**search, "leg": leg, "explain": "1"})
        assert choices(reply.text) == (["", "none"], ["none"])
        assert ("is analysed as: none" in reply.text) == (leg == "lexical")


def test_each_document_is_marked_by_its_own_analyzer(index):
    with Collection.open(index) as collection:
        words = QueryWords(collection, "Städte cities")
        (german, _), (english, _) = (words.of(Document(k, v)) for k, v in TEXTS.items())
        assert german.terms == {"stadt", "citi"}
        assert english.terms == {"städte", "citi"}
        assert words.of(Document("1", TEXTS["de"])) == (german, german)
        mixed = Document("1", TEXTS["de"], "Old cities", {"title_language": "en"})
        assert words.of(mixed) == (german, english)
