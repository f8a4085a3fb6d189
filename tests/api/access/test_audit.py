"""The audit log has every write and administration, no text and no secret, and its chain holds."""

from __future__ import annotations

import json
import resource
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twindex.api.serving.access.audit import AuditLog, problems

SECRET_TEXT = "unmistakable words of a document"


def entries(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder / "audit.jsonl"


@pytest.fixture
def audited(serve, keys, fake_config, path):
    admin = keys("read", "write", "admin")
    client = serve(audit_log=path, audit_chain=True)
    client.admin = admin
    assert client.put("/v1/collections/a", json=fake_config, headers=admin).status_code == 201
    return client


def test_writes_and_administration_are_recorded_without_texts_or_secrets(audited, keys, path):
    writer, reader = keys("write"), keys("read")
    documents = "/v1/collections/a/documents"
    body = {"text": SECRET_TEXT, "title": SECRET_TEXT}
    same = {**writer, "x-request-id": "wanted"}
    assert audited.put(f"{documents}/1", json=body, headers=same).status_code == 201
    line = json.dumps({"id": "2", **body})
    kind = {**writer, "content-type": "application/x-ndjson"}
    assert audited.post(f"{documents}/bulk", content=line, headers=kind).status_code == 200
    assert audited.post(f"{documents}/bulk?async=true", content=line, headers=kind).is_success
    assert audited.post(f"{documents}/delete", json={"ids": ["2"]}, headers=writer).is_success
    by_filter = {"filter": {"id": "none"}}
    assert audited.post(f"{documents}/delete", json=by_filter, headers=writer).is_success
    assert audited.delete(f"{documents}/1", headers=writer).status_code == 204
    assert audited.delete(f"{documents}/1", headers=writer).status_code == 404
    assert audited.delete(f"{documents}/1", headers=reader).status_code == 403
    assert audited.delete(f"{documents}/1").status_code == 401
    query = {"query": SECRET_TEXT}
    assert audited.post("/v1/collections/a/search", json=query, headers=reader).status_code == 200
    assert audited.get("/metrics", headers=audited.admin).status_code == 200
    assert audited.post("/v1/collections/a/merge", headers=audited.admin).status_code == 202
    assert audited.delete("/v1/collections/a", headers=audited.admin).status_code == 204

    found = entries(path)
    assert [(one["action"], one["status"]) for one in found] == [
        ("create_collection", 201),
        ("put_document", 201),
        ("write_bulk", 200),
        ("write_bulk", 202),
        ("delete_many", 200),
        ("delete_many", 200),
        ("delete_document", 204),
        ("delete_document", 404),
        ("refused", 403),
        ("refused", 401),
        ("merge_collection", 202),
        ("delete_collection", 204),
    ]
    own = writer["api-key"].split("_")[1]
    assert {one["key"] for one in found[1:8]} == {own}
    assert [one["key"] for one in found[8:10]] == [reader["api-key"].split("_")[1], ""]
    assert found[1]["request_id"] == "wanted"
    assert (found[1]["collection"], found[1]["id"]) == ("a", "1")
    assert (found[2]["written"], found[2]["replaced"]) == (1, 0)
    assert found[3]["kind"] == "bulk"
    assert (found[4]["ids"], found[4]["deleted"], found[5]["deleted"]) == (["2"], 1, 0)
    text = path.read_text()
    assert SECRET_TEXT not in text
    for headers in (writer, reader, audited.admin):
        assert headers["api-key"].split("_", 2)[2] not in text
    assert problems(path) == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_acknowledged_write_is_in_the_log(audited, path):
    """The line is on disk before the reply begins."""
    headers = audited.admin
    for i in range(5):
        audited.put(f"/v1/collections/a/documents/{i}", json={"text": "a"}, headers=headers)
        assert entries(path)[-1]["id"] == str(i)


def written(path, count: int, *, chained: bool = True) -> list[bytes]:
    log = AuditLog(path, chained=chained)
    for i in range(count):
        log.write({"action": "put", "id": str(i)})
    log.close()
    return path.read_bytes().splitlines(keepends=True)


@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_change_of_a_chain_is_found_at_its_line(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    lines = written(path, 6)
    assert problems(path) == []
    at = data.draw(st.integers(0, 5))
    how = data.draw(st.sampled_from(["remove", "repeat", "swap", "byte", "cut"]))
    changed = list(lines)
    first = at + 1
    if how == "remove":
        del changed[at]
    elif how == "repeat":
        changed.insert(at, lines[at])
        first = at + 2
    elif how == "swap":
        other = data.draw(st.integers(0, 5).filter(lambda i: i != at))
        changed[at], changed[other] = changed[other], changed[at]
        first = min(at, other) + 1
    elif how == "byte":
        position = data.draw(st.integers(0, len(lines[at]) - 2))
        old = lines[at][position : position + 1]
        new = data.draw(st.sampled_from([b"0", b"a", b" "]).filter(lambda b: b != old))
        changed[at] = lines[at][:position] + new + lines[at][position + 1 :]
    else:
        changed = changed[:at]
    path.write_bytes(b"".join(changed))
    (found,) = problems(path)
    if how == "cut" or (how == "remove" and at == 5):
        assert "missing after line" in found
    elif how == "byte":
        # The line after it, or the head, does not fit. A line that is no JSON is named itself.
        assert f"line {first} " in found or f"line {first + 1} " in found
    else:
        assert f"line {first} " in found


def test_a_line_that_a_crash_left_unfinished_is_cut_off(path):
    written(path, 3)
    with path.open("ab") as file:
        file.write(b'{"number": 4, "prev')
    assert problems(path) == []
    written(path, 1)
    assert problems(path) == []
    assert [one["number"] for one in entries(path)] == [1, 2, 3, 4]


def test_a_crash_between_the_line_and_the_head_is_no_problem(path):
    written(path, 3)
    head = path.with_name("audit.jsonl.head").read_bytes()
    written(path, 1)
    path.with_name("audit.jsonl.head").write_bytes(head)
    assert problems(path) == []


def test_a_line_for_which_the_disk_had_only_part_of_the_room_does_not_break_the_chain(path, caplog):
    written(path, 3)
    log = AuditLog(path, chained=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, hard))
    try:
        log.write({"action": "lost"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written" in caplog.text
    assert problems(path) == []
    log.write({"action": "kept"})
    log.close()
    assert problems(path) == []
    assert [one["number"] for one in entries(path)] == [1, 2, 3, 4]


def test_several_writers_make_one_chain(path):
    logs = [AuditLog(path, chained=True) for _ in range(3)]

    def write(log):
        for i in range(10):
            log.write({"id": str(i)})

    threads = [threading.Thread(target=write, args=(log,)) for log in logs for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems(path) == []
    assert len(entries(path)) == 60


def test_the_command_verifies_a_log(run, path):
    lines = written(path, 3)
    assert run("verify", str(path)).out.endswith(": sound\n")
    path.write_bytes(lines[0] + lines[2])
    outcome = run("verify", str(path), "--json")
    assert outcome.status == 1
    assert outcome.json == {
        "sound": False,
        "problems": [f"{path}: line 2 does not follow the line before it"],
    }
    assert run("verify", str(path), "--accept").status == 2


def test_a_log_without_chain_has_plain_lines(path):
    written(path, 1, chained=False)
    assert set(entries(path)[0]) == {"time", "action", "id"}
    assert "no line of a chained log" in problems(path)[0]
