"""Render HTML pages from templates. Links are relative, so they work below any path of a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from ..figures import figure
from .explained import piece

# No inline scripts or styles: the text of a document can never run as one.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HTMX = {
    "allowEval": False,
    "allowScriptTags": False,
    "historyEnabled": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
}
"""Configuration of htmx, within the content security policy."""
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",  # With "no-referrer", the Origin of a form is "null".
    "Cache-Control": "no-store",
}


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def current(page: str, at: str) -> Markup:
    """Return the attribute of the menu's link to the page that is shown; else nothing."""
    return Markup(' aria-current="page"' if page == at else "")


def htmx() -> Markup:
    """Return the elements that load htmx. It may neither evaluate texts nor add styles."""
    return Markup(
        f'<meta name="htmx-config" content="{escape(orjson.dumps(HTMX).decode())}">\n  '
        '<script src="static/htmx.min.js" defer></script>'
    )


templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {"piece": piece, "figure": figure, "pretty": pretty}
templates.globals |= {"current": current, "htmx": htmx}


def render(template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """Fill `template` with `values` and return the page as an HTTP response."""
    return HTMLResponse(templates.get_template(template).render(values), status, HEADERS)
