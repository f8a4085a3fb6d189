"""Exits with status 0 if the server in this container is healthy, else with 1.

    python health.py [ADDRESS]

Reads the key from TWINDEX_API_KEY. Without the right key, `/healthz` answers 401. Then the status
of `/readyz`, which needs no key, decides.
"""

from __future__ import annotations

import os
import sys
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

ADDRESS = "http://127.0.0.1:8080"
SECONDS = 4
OPENER = build_opener(ProxyHandler({}))
"""Opens addresses without a proxy, whatever the environment variables say."""


def health(address: str, key: str | None) -> tuple[int, str]:
    """Return the status of the reply and its text."""
    headers = {"api-key": key} if key else {}
    try:
        with OPENER.open(Request(f"{address}/healthz", headers=headers), timeout=SECONDS) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        if error.code != 401:
            return error.code, error.read().decode()
    with OPENER.open(f"{address}/readyz", timeout=SECONDS) as reply:
        return reply.status, reply.read().decode()


def main() -> int:
    address = sys.argv[1] if len(sys.argv) > 1 else ADDRESS
    try:
        status, text = health(address, os.environ.get("TWINDEX_API_KEY"))
    except (URLError, OSError) as error:
        print(f"{address} does not answer: {error}")
        return 1
    print(text)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
