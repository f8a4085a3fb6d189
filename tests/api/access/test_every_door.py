"""Routes reach collections only through the access of the request."""

from __future__ import annotations

import re
from pathlib import Path

import twindex

API = Path(twindex.__file__).parent / "api"
FORBIDDEN = re.compile(r"app\.state\.(service|calls)|Service\(|\bimport Service\b|_service\b")
ALLOWED = {"http/app.py", "http/server.py", "http/middleware.py", "http/arrival/gate.py"}
ALLOWED |= {"http/arrival/following.py"}
"""Files that create the service or the part of it that a request sees, read its queues only, or let
it follow another worker."""


def test_no_route_page_or_tool_reaches_the_whole_service():
    found = []
    for folder in ("http", "mcp", "pages"):
        for path in (API / folder).rglob("*.py"):
            name = str(path.relative_to(API))
            if name not in ALLOWED and name != "mcp/local.py":
                found += [(name, hit) for hit in FORBIDDEN.findall(path.read_text())]
    assert found == []
    # The tools on standard input and output serve the person who started them.
    assert API.joinpath("mcp/local.py").read_text().count("Seen(service)") == 1


def test_only_the_middleware_sets_what_a_request_sees():
    text = API.joinpath("http/middleware.py").read_text()
    assert text.count("Seen(self._service, access,") == text.count("Seen(") == 1
    for path in API.rglob("*.py"):
        name = str(path.relative_to(API))
        if name not in ("http/middleware.py", "mcp/local.py"):
            assert "Seen(" not in path.read_text().replace("class Seen", "")
