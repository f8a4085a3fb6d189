"""`twindex serve --check-config` finds what would stop or degrade a server, and shows no secret."""

from __future__ import annotations

import pytest


@pytest.fixture
def root(tmp_path, run):
    (tmp_path / "data").mkdir()
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "kiwi", "text": "The kiwi cannot fly."}\n')
    built = run("build", str(tmp_path / "data" / "birds"), "--documents", str(corpus), "--dense",
                "none", "--sparse", "none", "--quiet")  # fmt: skip
    assert built.status == 0
    return tmp_path / "data"


def test_a_valid_configuration_is_shown_without_secrets(root, tmp_path, run, monkeypatch):
    file = tmp_path / "server.toml"
    file.write_text(f'threads = 3\nsnapshots = "{tmp_path}/backups"\n')
    monkeypatch.setenv("TWINDEX_API_KEY", "very-secret")
    done = run("serve", str(root), "--config", str(file), "--queue", "7", "--check-config")
    assert done.status == 0, done.err
    assert "threads = 3" in done.out
    assert "queue = 7" in done.out
    assert "api_key = (set)" in done.out
    assert "very-secret" not in done.out + done.err
    assert not (tmp_path / "backups").exists()


def test_every_problem_is_named(root, tmp_path, run):
    (tmp_path / "rerankers.toml").write_text(
        '[rerankers.gone]\nkind = "cross_encoder"\nmodel = "not-on-this-machine"\n'
    )
    (tmp_path / "rewriters.toml").write_text("nothing = 1\n")
    database = root / "birds" / "collection.db"
    database.write_bytes(b"x" * 100 + database.read_bytes()[100:])
    done = run(
        "serve", str(root), "--check-config", "--snapshots", "ftp://host/x",
        "--rerankers", str(tmp_path / "rerankers.toml"),
        "--rewriters", str(tmp_path / "rewriters.toml"),
    )  # fmt: skip
    assert done.status == 1
    for part in ("not-on-this-machine", "rewriters.toml", "ftp://host/x", "collection.db"):
        assert part in done.err, (part, done.err)


def test_invalid_settings_and_folders_are_refused(tmp_path, run):
    assert run("serve", str(tmp_path), "--threads", "x", "--check-config").status == 2
    missing = run("serve", str(tmp_path / "none"), "--check-config")
    assert missing.status == 1
    assert "is not a folder" in missing.err


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--keys", "{tmp}/gone.json"), "gone.json does not exist"),
        (("--keys", "{tmp}/corpus.jsonl"), "is not a valid file of keys"),
        (("--tls-certificate", "{tmp}/gone.pem"), "gone.pem is not a file"),
        (("--audit-log", "{tmp}/gone/audit.log"), "audit.log cannot be written"),
        (("--audit-chain",), "requires `audit_log`"),
        (("--host", "0.0.0.0"), "can be reached from other machines"),
    ],
)
def test_what_stops_the_start_is_found(root, tmp_path, run, options, part):
    given = [option.format(tmp=tmp_path) for option in options]
    done = run("serve", str(root), "--check-config", *given)
    assert done.status == 1
    assert part in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.jsonl", "data"]


def test_the_audit_log_is_not_created_by_the_check(root, tmp_path, run):
    done = run("serve", str(root), "--check-config", "--audit-log", str(tmp_path / "audit.log"))
    assert done.status == 0, done.err
    assert not (tmp_path / "audit.log").exists()
