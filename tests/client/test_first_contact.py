"""The first contact of a client with a service, and collections that two clients create at once."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

import twindex
from twindex.client import requests

from .scripted import Script, info, problem


def refused(number: int) -> list[Exception]:
    return [httpx2.ConnectError("refused") for _ in range(number)]


def test_a_refused_first_contact_fails_after_a_short_time(monkeypatch):
    monkeypatch.setattr(requests, "FIRST_CONTACT", 0.2)
    script = Script(*refused(20))
    began = time.monotonic()
    with (
        twindex.Client("http://127.0.0.1:9", transport=script.transport) as client,
        pytest.raises(twindex.UnavailableError, match="refused; check the URL"),
    ):
        client.open("birds")
    assert time.monotonic() - began < 2
    assert len(script.requests) > 1


def test_a_service_that_starts_during_the_first_contact_is_reached(pauses):
    script = Script(*refused(3), info())
    with twindex.Client(transport=script.transport) as client:
        client.open("birds")


def test_a_restart_after_the_first_contact_is_awaited(monkeypatch, pauses):
    monkeypatch.setattr(requests, "FIRST_CONTACT", 0)
    script = Script(info(), *refused(6), info())
    with twindex.Client(transport=script.transport) as client:
        client.open("birds")
        client.open("birds")
    assert len(pauses) == 6


def test_the_asyncio_client_limits_the_first_contact_too(monkeypatch):
    monkeypatch.setattr(requests, "FIRST_CONTACT", 0)

    async def open_() -> None:
        script = Script(*refused(1))
        async with twindex.AsyncClient(transport=script.transport) as client:
            await client.open("birds")

    with pytest.raises(twindex.UnavailableError, match="check the URL"):
        asyncio.run(open_())


def test_create_fails_if_another_client_creates_the_collection_first():
    script = Script(problem(404, "not_found"), info())
    with (
        twindex.Client(transport=script.transport) as client,
        pytest.raises(twindex.ConflictError, match="already exists"),
    ):
        client.create("birds")


def test_create_succeeds_if_only_its_first_reply_was_lost(pauses):
    script = Script(problem(404, "not_found"), httpx2.ReadError("reset"), info())
    with twindex.Client(transport=script.transport) as client:
        client.create("birds")
