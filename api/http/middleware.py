"""The middleware of every request: request id, API key, timing, metrics and unexpected errors.

It is a single ASGI callable, because a stack of framework middlewares costs more than a small
search.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from functools import partial

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ...core.trace.spans import trace_id
from ..serving.access.access import NOBODY, Access
from ..serving.access.audit import AuditLog
from ..serving.access.quotas import Quotas, Ticket
from ..serving.access.seen import Seen
from ..serving.calls import Calls
from ..serving.measuring.by_key import KeyCounts
from ..serving.measuring.metrics import UNMATCHED, Metrics
from ..serving.measuring.tracing import Tracing
from ..serving.operations.aliases import pin
from ..serving.problems import Problem, no_operation
from ..serving.service import Service
from ..serving.settings import OPEN_PATHS, Settings
from .admission import Admission, Hold
from .arrival import traced
from .arrival.following import Follower
from .arrival.gate import Gate
from .arrival.refusal import refusal_page
from .arrival.relay import Relay, lists
from .arrival.request_id import NEW_ID
from .compat.errors import error_shape
from .keys import Door, ScopeMissing, changes
from .reply import Reply

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST = 1_000
"""Maximum number of characters of a path in the audit log."""

OVER_LIMIT_SECONDS = 0.5
"""Mean time in which a connection is not read after a request beyond the limits of its key. It ends
before the time in `Retry-After`, which is at least a second."""

_ACCESS_LINE = "%(method)s %(path)s %(status)d %(milliseconds).1f ms %(request_id)s %(key)s"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_FOREIGN = (
    "requests from pages of other sites may only read: the Origin of this request differs from its "
    "Host (port included) and is not allowed. A proxy must forward the Host header unchanged; the "
    "setting `cors_origins` allows other sites"
)


class Frame:
    """The middleware around the application. It sets `request.state.request_id`.

    relay:    passes requests that write on to another worker; None: this one writes.
    follower: follows the worker that writes; None: there are no other workers.
    host:     name that the server listens on.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        service: Service,
        metrics: Metrics,
        admission: Admission,
        door: Door,
        gate: Gate,
        quotas: Quotas,
        by_key: KeyCounts,
        audit: AuditLog | None = None,
        relay: Relay | None = None,
        follower: Follower | None = None,
        tracing: Tracing | None = None,
        host: str = "",
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.admission = admission
        self.gate = gate
        self.access_log = settings.access_log
        self._settings = settings
        self._service = service
        self._door = door
        self._quotas = quotas
        self._by_key = by_key
        self._relay = relay
        self._follower = follower
        self._audit = audit
        self._tracing = tracing
        self._root = settings.root_path
        self._origins = set(settings.allowed_hosts)
        self._pages = set(settings.cors_origins)
        self._hosts = {"localhost", host.lower(), *settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        pin()
        method = scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}  # The server drops the body.
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else next(NEW_ID).encode()
        span = traced.begin(self._tracing, method, scope, headers, request_id.decode())
        hold = Hold(self.admission.bodies)
        path = self._local_path(scope)
        shape = error_shape(path)
        scope.setdefault("state", {}).update(
            request_id=request_id.decode(), hold=hold, error_shape=shape, audit={}, access=NOBODY
        )
        ticket, unexpected = Ticket(), None
        extra = [(b"x-request-id", request_id), (b"x-content-type-options", b"nosniff")]
        parent = headers.get(b"traceparent")
        if parent is not None and _TRACEPARENT.fullmatch(parent):
            extra.append((b"traceparent", parent))
        root = self._root.encode()
        reply = Reply(send, self.admission.replies, request_id, extra, root, shape)
        scope["state"]["reply"] = reply
        if self._audit is not None and changes(method, path):
            reply.before = partial(self._record, self._audit, scope, path, request_id.decode())
        passed = False
        try:
            if path == "":
                await Response(status_code=308, headers={"Location": "/"})(scope, receive, reply)
                return
            scope["state"]["access"] = access = self._admit(scope, path, headers)
            if self._relay is not None and self._relay.takes(method, path):
                passed = True
                await self._relay.send(scope, receive, reply.passing, request_id)
                return
            if self._follower is not None and lists(path):
                await self._follower.catch_up()
            scope["state"]["tenant"] = access.key
            self.gate.check(scope, path, headers)
            if path not in OPEN_PATHS:
                reply.pause_seconds = OVER_LIMIT_SECONDS
                ticket = self._quotas.enter(access)
                reply.limits, reply.pause_seconds = ticket.headers, 0.0
            scope["state"]["check_key"] = partial(self._door.check_again, headers)
            self._show(scope, access, ticket)
            await self.app(scope, receive, reply)
        except Problem as problem:
            page = refusal_page(problem, path, headers, scope["state"]["access"])
            refusal = page or problem.response(request_id.decode(), shape)
            await refusal(scope, receive, reply)
        except Exception as error:
            unexpected = error
            logger.exception("request %s failed", request_id.decode())
            if reply.begun:
                raise  # Too late for a reply: the server closes the connection.
            failure = Problem(500, "an unexpected error; search the log for this request_id")
            await failure.response(request_id.decode(), shape)(scope, receive, reply)
        finally:
            self.gate.leave(scope)
            hold.release()
            ticket.close()
            access = scope["state"]["access"]
            key = scope["state"]["audit"].get("key", access.key)  # Also of a refused request.
            route = _route(scope, path)
            counted = not passed or not reply.begun  # Else by the worker that replied.
            if counted:
                self.metrics.request(method, route, reply.status, reply.seconds)
                self._by_key.count(key, reply.status)
            if self.access_log and counted:
                fields = {
                    "method": method,
                    "path": scope["path"],
                    "status": reply.status,
                    "milliseconds": round(reply.seconds * 1e3, 1),
                    "request_id": request_id.decode(),
                    "key": key,
                }
                trace = trace_id()
                more = {} if trace is None else {"trace_id": trace}
                logger.info(_ACCESS_LINE, fields, extra=fields | more)
            if span is not None:
                traced.end(span, method, scope, route, reply.status, access, unexpected)

    async def _record(
        self, audit: AuditLog, scope: Scope, path: str, request_id: str, status: int
    ) -> None:
        """Write a line of the audit log."""
        state, params = scope["state"], scope.get("path_params", {})
        entry = {
            "key": state["access"].key,
            "action": getattr(scope.get("route"), "name", None) or "refused",
            "method": scope["method"],
            "path": path[:_LONGEST],
            "collection": params.get("collection"),
            **state["audit"],
            "request_id": request_id,
            "status": status,
        }
        await to_thread.run_sync(audit.write, entry)

    def _show(self, scope: Scope, access: Access, ticket: Ticket) -> None:
        """Set `request.state.service` and `request.state.calls`: what the request sees."""
        seen = Seen(self._service, access, scope["state"]["request_id"])
        calls = Calls(seen, self._settings, self.metrics, ticket.spend)
        scope["state"].update(service=seen, calls=calls)

    def _local_path(self, scope: Scope) -> str:
        """Return the path without the prefix `root_path`. Sets `root_path` and path in `scope`.

        Accepts paths with and without `root_path`, because some proxies remove it.
        """
        path: str = scope["path"]
        if not self._root:
            return path
        scope["root_path"] = self._root
        if path == self._root or path.startswith(self._root + "/"):
            return path.removeprefix(self._root)
        scope["path"] = self._root + path
        scope["raw_path"] = self._root.encode() + scope.get("raw_path", path.encode())
        return path

    def _admit(self, scope: Scope, path: str, headers: dict[bytes, bytes]) -> Access:
        """Return what a request may do. Raise Problem for a request that is not allowed.

        Checks the encoding of the path, the site that sent the request, the host and the API key.
        path: path without `root_path`.
        """
        if "\ufffd" in path and b"%ef%bf%bd" not in scope.get("raw_path", b"").lower():
            raise Problem(400, "the path must be percent-encoded UTF-8")
        if scope["method"] not in _SAFE and self._is_foreign(headers):
            raise Problem(403, _FOREIGN)
        if path not in OPEN_PATHS and self._door.open and not self._names_server(headers):
            detail = (
                "the Host header is not a name of this server; the operator can add the name "
                "to TWINDEX_ALLOWED_HOSTS"
            )
            raise Problem(403, detail)
        try:
            return self._door.enter(scope["method"], path, headers, scope["state"]["audit"])
        except ScopeMissing as problem:
            # No scope helps where no operation is, and clients read the kind of the error.
            raise no_operation(Request(scope)) or problem from None

    def _is_foreign(self, headers: dict[bytes, bytes]) -> bool:
        """Return True if a web page of another site or port sent the request.

        Pages of the origins in the setting `cors_origins` are not foreign.
        """
        page = headers.get(b"origin", b"").decode("latin-1").lower()
        if page and ("*" in self._pages or page in self._pages):
            return False
        if headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
            return True
        if b"origin" not in headers:
            return False
        origin = page.partition("://")[2]
        host = headers.get(b"host", b"").decode("latin-1").lower()
        return origin != host and origin not in self._origins

    def _names_server(self, headers: dict[bytes, bytes]) -> bool:
        """Return False if the `Host` header is no name of this server.

        A page can point its own host name at this address and become the same site.
        """
        host = headers.get(b"host")
        return host is None or self._is_own_host(host.decode("latin-1").lower())

    def _is_own_host(self, authority: str) -> bool:
        """Return True if the value of a `Host` header is an IP address or a name of this server."""
        if authority.startswith("["):
            name = authority[1:].partition("]")[0]
        else:
            name = authority.partition(":")[0]
        if name in self._hosts or authority in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _route(scope: Scope, path: str) -> str:
    """Return the route that replied, as a label for metrics: its path, without ids."""
    if (route := scope.get("route")) is not None and hasattr(route, "path"):
        return str(route.path)
    if path.startswith("/static/"):
        return "/static"
    if path in ("", "/openapi.json"):
        return path
    return str(scope["state"].get("refused_route", UNMATCHED))
