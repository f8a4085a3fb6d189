"""A server beyond loopback needs a key; it speaks TLS; it believes only proxies it trusts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import httpx2
import pytest

from twindex.api.http.arrival.requirements import check_keys, check_tls
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.access.keyring import Keyring
from twindex.api.serving.settings import Settings
from twindex.core import ConfigError


def checked(tmp_path, host: str, **settings) -> None:
    own = Settings(**settings)
    key = None if own.api_key is None else own.api_key.get_secret_value()
    check_keys(Keyring(tmp_path / FILE_NAME, key), host, own)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_loopback_needs_no_key(tmp_path, host):
    checked(tmp_path, host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "search.example"])
def test_another_address_needs_a_key_or_an_option(tmp_path, host):
    with pytest.raises(ConfigError, match="--without-keys") as caught:
        checked(tmp_path, host)
    assert caught.value.field == "host"
    checked(tmp_path, host, without_keys=True)
    checked(tmp_path, host, api_key="secret")
    KeyFile(tmp_path / FILE_NAME).add(new_key("app").key)
    checked(tmp_path, host)
    with pytest.raises(ConfigError, match="contradicts"):
        checked(tmp_path, host, without_keys=True)


def test_a_file_of_keys_that_is_named_must_exist(tmp_path):
    missing = tmp_path / "misspelt.json"
    with pytest.raises(ConfigError, match="does not exist") as caught:
        checked(tmp_path, "127.0.0.1", keys=missing)
    assert caught.value.field == "keys"
    checked(tmp_path, "127.0.0.1", keys=missing, api_key="secret")
    checked(tmp_path, "127.0.0.1", keys=missing, without_keys=True)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tls_key": "key.pem"}, "tls_key"),
        ({"tls_certificate": "none.pem"}, "tls_certificate"),
        ({"tls_certificate": __file__}, "tls_certificate"),
        ({"audit_chain": True}, "audit_chain"),
    ],
)
def test_wrong_files_are_named_before_the_start(settings, field):
    with pytest.raises(ConfigError) as caught:
        check_tls(Settings(**settings))
    assert caught.value.field == field


def test_trusted_proxies_are_addresses():
    assert Settings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies == ("10.0.0.0/8", "::1")
    with pytest.raises(ConfigError, match="is not an IP address"):
        Settings(trusted_proxies="proxy.example")


@pytest.fixture
def certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, found = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True)
    return found, key


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("trusted", ["127.0.0.1", "192.0.2.1"])
def test_a_server_speaks_tls_and_believes_trusted_proxies_only(tmp_path, certificate, trusted):
    root = tmp_path / "root"
    root.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "twindex", "serve", str(root), "--port", str(port)]
    command += ["--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1])]
    command += ["--trusted-proxies", trusted]
    with subprocess.Popen(command, env={**os.environ}, stderr=subprocess.PIPE) as process:
        try:
            context = ssl.create_default_context(cafile=str(certificate[0]))
            url = f"https://localhost:{port}"
            with httpx2.Client(verify=context, trust_env=False) as client:
                for _ in range(600):
                    try:
                        if client.get(f"{url}/readyz").status_code == 200:
                            break
                    except httpx2.TransportError:
                        time.sleep(0.1)
                headers = {"x-forwarded-proto": "http"}
                page = client.get(f"{url}/docs", headers=headers).text
                assert f"http://localhost:{port}" in page or trusted != "127.0.0.1"
                assert f"https://localhost:{port}" in page or trusted == "127.0.0.1"
            with pytest.raises(httpx2.TransportError):
                httpx2.get(f"http://localhost:{port}/readyz", trust_env=False)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
