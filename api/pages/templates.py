"""Render HTML pages from templates. Links are relative, so they work below any path of a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from ..figures import figure
from .explained import piece

# No inline scripts or styles: the text of a document can never run as one.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",  # With "no-referrer", the Origin of a form is "null".
    "Cache-Control": "no-store",
}

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {"piece": piece, "figure": figure}


def render(template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """Fill `template` with `values` and return the page as an HTTP response."""
    return HTMLResponse(templates.get_template(template).render(values), status, HEADERS)
