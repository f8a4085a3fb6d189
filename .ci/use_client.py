"""Uses the installed client with a server of the installed package.

python use_client.py PATH_OF_TWINDEX FOLDER_OF_COLLECTIONS
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from urllib.request import urlopen

from twindex_client import Client, UnavailableError

PAGES = ("/", "/docs", "/openapi.json", "/static/style.css")
SECONDS = 120


def address_of(server: subprocess.Popen[str]) -> str:
    """Return the address that the log of the server names."""
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found.group()
    raise SystemExit("the server did not start")


def wait_until_ready(client: Client) -> None:
    for _ in range(SECONDS * 10):
        try:
            client.open("notes").count()
            return
        except UnavailableError:
            time.sleep(0.1)
    raise SystemExit("the server is not ready")


def main() -> None:
    twindex, folder = sys.argv[1:]
    command = [twindex, "serve", folder, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = address_of(server)
            with Client(address) as client:
                wait_until_ready(client)
                notes = client.open("notes")
                notes.add([{"id": "gull", "text": "Gulls soar over the sea."}])
                print(notes.search("gulls over the sea"))
                assert notes.search("gulls over the sea").hits[0].id == "gull"
            for page in PAGES:
                with urlopen(address + page) as reply:
                    assert reply.status == 200, page
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
