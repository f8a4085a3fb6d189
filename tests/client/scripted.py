"""A service that answers from a script."""

from __future__ import annotations

import httpx2


def problem(status: int, code: str, detail: str = "so it is", **fields: object) -> httpx2.Response:
    body = {"code": code, "detail": detail, "status": status, "request_id": "r1", **fields}
    return httpx2.Response(status, json=body)


class Script:
    """A transport that answers with one response after another, and keeps the requests."""

    def __init__(self, *responses: httpx2.Response | Exception) -> None:
        self.responses = list(responses)
        self.requests: list[httpx2.Request] = []
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response


def info() -> httpx2.Response:
    return httpx2.Response(200, json={"documents": 1})
