"""One line a call, without its secrets."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.call import Reply, StreamReply
from gateway.errors import Forbidden, NotFound, NotModified, Unauthorized
from middleware.audit import Audit
from middleware.base import Middleware
from middleware.censoring import censored
from middleware.testing import pipeline


@pytest.fixture
def chain(tmp_path):
    return pipeline(Audit, file=str(tmp_path / "log" / "audit.log"), headers=True, bodies=True)


@pytest.fixture
def lines(tmp_path):
    return lambda: [json.loads(line) for line in (tmp_path / "log" / "audit.log").read_text().splitlines()]


def test_a_successful_call(chain, lines):
    chain.run(
        "container.start",
        answer=Reply(status=204),
        target={"id": "web"},
        query={"detachKeys": ["ctrl-a"]},
        headers={"user-agent": "Docker-Client/28"},
        principal="MD5:aa",
        hints={"jobs": ["j1", "j2"], "vms": ["v1", "v1"]},
    )
    (line,) = lines()
    assert line["time"].endswith("Z")
    assert line["ms"] >= 0
    expected = {
        "req_id": "test-1", "operation": "container.start", "account": chain.account.uuid, "login": "jill",
        "principal": "MD5:aa", "peer": "127.0.0.1:40000", "transport": "tls", "method": "POST",
        "path": "/containers/{id}/start", "query": {"detachKeys": ["ctrl-a"]}, "target": {"id": "web"},
        "user_agent": "Docker-Client/28", "status": 204, "jobs": ["j1", "j2"], "vms": ["v1"],
    }  # fmt: skip
    assert {key: line[key] for key in expected} == expected
    assert not {"error", "reason", "stream", "body"} & line.keys()


def _caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "sentence", "reason"),
    [
        (NotFound("No such container: x"), 404, "No such container: x", None),
        (NotModified("already started"), 304, None, None),
        (_caused(Unauthorized("Unauthorized"), KeyError("no key aa")), 401, "Unauthorized", "'no key aa'"),
        (_caused(Forbidden("no"), _caused(KeyError("a"), KeyError("b"))), 403, "no", "'a'; 'b'"),
        (ZeroDivisionError("division by zero"), 500, "internal error", "division by zero"),
        (ZeroDivisionError(), 500, "internal error", "ZeroDivisionError"),
        (ConnectionAbortedError("the client went away"), 499, "internal error", "the client went away"),
    ],
)
def test_failed_calls_say_what_was_told_and_why(chain, lines, error, status, sentence, reason):
    with pytest.raises(type(error)):
        chain.run("container.start", answer=error)
    (line,) = lines()
    assert (line["status"], line.get("error"), line.get("reason")) == (status, sentence, reason)


def test_refusals_of_later_members_are_written(tmp_path, lines):
    class Refuses(Middleware):
        name = "refuses"

        def before(self, call):
            raise Forbidden("no new containers at night")

    chain = pipeline((Audit, {"file": str(tmp_path / "log" / "audit.log")}), Refuses)
    with pytest.raises(Forbidden):
        chain.run("container.create", {"Image": "x"})
    assert [(line["status"], line["error"]) for line in lines()] == [(403, "no new containers at night")]
    assert "body" not in lines()[0]


def test_streams_are_marked(chain, lines):
    chain.run("container.logs", answer=StreamReply(items=iter([])))
    assert lines()[0]["stream"] is True


def test_secrets_never_reach_the_file(chain, tmp_path):
    class Auth(msgspec.Struct):
        username: str
        password: str
        identitytoken: str

    headers = {"x-registry-auth": "S3CRET", "x-registry-config": "S3CRET", "authorization": "S3CRET", "accept": "*"}
    chain.run("system.auth", headers=headers, query={"buildargs": ['{"A":"S3CRET"}'], "t": ["web:1"]})
    chain.run("system.auth", body=Auth("jill", "S3CRET", "S3CRET"))
    chain.run("exec.create", body=BodyWithEnv(Env=["A=S3CRET", "PLAIN"]))
    written = (tmp_path / "log" / "audit.log").read_text()
    assert "S3CRET" not in written
    assert '"A=(censored)","PLAIN"' in written
    assert '"username":"jill"' in written
    assert "web:1" in written


class BodyWithEnv(msgspec.Struct):
    Env: list[str]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Password": "x"}, {"Password": "(censored)"}),
        (
            {"registry_token": "x", "RegistryToken": "y"},
            {"registry_token": "(censored)", "RegistryToken": "(censored)"},
        ),
        ({"Password": ""}, {"Password": ""}),
        ({"a": [{"Secret": "x", "b": 1}]}, {"a": [{"Secret": "(censored)", "b": 1}]}),
        ({"remote": ["https://jill:pw@git.example/x"]}, {"remote": ["https://(censored)@git.example/x"]}),
        ({"changes": ["ENV A=b", "CMD x"]}, {"changes": ["ENV (censored)", "CMD x"]}),
        ({"BuildArgs": {"A": "b"}}, {"BuildArgs": "(censored)"}),
        ({"Env": None, "Memory": 5, "Init": True}, {"Env": None, "Memory": 5, "Init": True}),
        ({"Image": "reg:5000/a/b@sha256:00"}, {"Image": "reg:5000/a/b@sha256:00"}),
    ],
)
def test_censoring(value, expected):
    assert censored(value) == expected


def test_long_bodies_are_cut_off(tmp_path, lines):
    chain = pipeline(Audit, file=str(tmp_path / "log" / "audit.log"), bodies=True, body_limit=20)
    chain.run("exec.create", body=BodyWithEnv(Env=["A"] * 100))
    assert lines()[0]["body"] == '{"Env":["A","A","A",...'


def test_a_line_that_cannot_be_written_fails_no_call(tmp_path):
    assert pipeline(Audit, file=str(tmp_path)).run("container.list").status == 200
    chain = pipeline(Audit, file=str(tmp_path / "a"))
    assert chain.run("container.list", path="/\udcff").status == 200


def test_standard_output(capfd):
    pipeline(Audit, file="-").run("container.list")
    assert json.loads(capfd.readouterr().out)["operation"] == "container.list"


def test_the_file_is_for_its_owner_only(chain, tmp_path):
    chain.run("container.list")
    assert (tmp_path / "log" / "audit.log").stat().st_mode & 0o777 == 0o600
