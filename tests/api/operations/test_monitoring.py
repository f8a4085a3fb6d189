"""The dashboard and the alert rules use metrics that a server exports; the unit file is valid."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import twindex
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.measuring.by_key import MOST, KeyCounts

DEPLOY = Path(twindex.__file__).parent / "deploy"
_NAME = re.compile(r"\b(?:twindex|process)_[a-z_]+")
_LABELS = re.compile(r"\b(?:by|on) \(([a-z_, ]+)\)")
_SCRAPED = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of buckets."""


def expressions():
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield f"panel {panel['title']}", target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["query"]
    rules = (DEPLOY / "alerts.yml").read_text()
    for name, rule in re.findall(r"- alert: (\w+)\n(.*?)(?=\n      - alert|\Z)", rules, re.DOTALL):
        found = re.search(r"expr: (?:\|\n)?(.*?)\n        for:", rule, re.DOTALL)
        yield f"alert {name}", found[1]


@pytest.fixture
def exported(reranking):
    """Name of each exported sample -> its labels, after a request of every kind."""
    client = reranking
    base = "/v1/collections/birds"
    for body in ({"query": "fly"}, {"query": "fly", "rerank": {"model": "fast"}}):
        assert client.post(f"{base}/search", json=body).status_code == 200
    client.post(f"{base}/search", json={"query": "fly", "rerank": {"model": "bad"}})
    client.post(f"{base}/answer", json={"question": "Which bird cannot fly?"})
    client.post("/v1/embeddings", json={"model": "fake", "input": "text"})
    client.post(f"{base}/merge")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        found.setdefault(family.name, set())
        found.setdefault(f"{family.name}_total", set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_of_dashboard_and_alerts_is_exported(exported):
    checked = 0
    for where, expression in expressions():
        names = set(_NAME.findall(expression))
        assert names, where
        labels = set(_SCRAPED)
        for name in names:
            base = re.sub(r"_bucket$", "", name)
            assert name in exported or base in exported, (where, name)
            labels |= exported.get(name, set()) | exported.get(base, set())
        for group in _LABELS.findall(expression):
            used = {label.strip() for label in group.split(",")}
            missing = {n for n in used - labels if not _empty(names, exported)}
            assert not missing, (where, missing)
        checked += 1
    assert checked > 25


def _empty(names, exported):
    """True if no sample of these metrics was exported, so that their labels are unknown."""
    return all(not exported.get(re.sub(r"_bucket$", "", name)) for name in names)


def test_searches_are_timed_by_collection_and_gauges_show_the_state(reranking):
    reranking.post("/v1/collections/birds/search", json={"query": "fly"})
    text = reranking.get("/metrics").text
    assert 'twindex_search_seconds_count{collection="birds"} 1.0' in text
    assert 'twindex_collection_ready{collection="birds"} 1.0' in text
    assert "twindex_writable 1.0" in text


def test_the_unit_limits_what_the_service_can_do():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "twindex.service")
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["User"] == "twindex"
    assert service["MemoryMax"]
    assert int(service["TimeoutStopSec"]) > 30
    assert "--check-config" in service["ExecStartPre"]


def test_requests_are_counted_by_key_for_a_bounded_number_of_keys(serve, tmp_path):
    created = new_key("shop", scopes=("read", "admin"))
    KeyFile(tmp_path / FILE_NAME).add(created.key)
    client = serve()
    headers = {"api-key": created.secret}
    client.get("/v1/collections", headers=headers)
    client.put("/v1/collections/a/documents/1", json={"text": "a"}, headers=headers)
    client.get("/v1/collections", headers={"api-key": "wrong"})
    text = client.get("/metrics", headers=headers).text
    for status in ("2xx", "4xx"):
        assert f'twindex_key_requests_total{{key="{created.key.id}",status="{status}"}} 1.0' in text
    assert created.secret not in text

    counts = KeyCounts()
    for number in range(MOST + 50):
        counts.count(f"{number:012x}", 200)
    assert len(counts.read()) == MOST + 1
    assert counts.read()["other", "2xx"] == 50
