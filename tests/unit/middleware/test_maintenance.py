"""Read-only mode: by option, by file, live."""

from __future__ import annotations

import pytest

from gateway.errors import Unavailable
from gateway.operations import OPERATIONS
from middleware.maintenance import Maintenance
from middleware.testing import pipeline

SENTENCE = "docker service is currently in read-only mode for maintenance"


def refusal(chain, operation="container.create"):
    with pytest.raises(Unavailable) as raised:
        chain.run(operation)
    return raised.value


def test_what_changes_is_refused_and_what_looks_is_not(tmp_path):
    chain = pipeline(Maintenance, read_only=True, file=str(tmp_path / "none"))
    for operation in OPERATIONS:
        if operation.changes and not operation.open:
            error = refusal(chain, operation.name)
            assert (error.status, error.message, error.headers) == (503, SENTENCE, {})
        else:
            assert chain.run(operation.name).status == 200


def test_a_file_switches_it_live(tmp_path):
    file = tmp_path / "maintenance"
    chain = pipeline(Maintenance, file=str(file))
    chain.run("container.create")
    file.touch()
    assert refusal(chain).message == SENTENCE
    file.write_text("moving to new racks\nsecond line\n")
    assert refusal(chain).message == "moving to new racks"
    file.unlink()
    chain.run("container.create")


def test_a_file_that_cannot_be_read_is_there_all_the_same(tmp_path):
    assert refusal(pipeline(Maintenance, file=str(tmp_path), message="closed")).message == "closed"


@pytest.mark.parametrize(
    ("eta", "retry"),
    [
        ("2999-05-01T06:00:00Z", "Wed, 01 May 2999 06:00:00 GMT"),
        ("2999-05-01T06:00:00+02:00", "Wed, 01 May 2999 04:00:00 GMT"),
        ("2999-05-01T06:00:00", "Wed, 01 May 2999 06:00:00 GMT"),
        ("2001-01-01T00:00:00Z", None),
    ],
)
def test_retry_after(tmp_path, eta, retry):
    chain = pipeline(Maintenance, read_only=True, eta=eta, file=str(tmp_path / "none"))
    assert refusal(chain).headers.get("Retry-After") == retry


def test_an_eta_that_is_no_date_stops_the_start_up():
    with pytest.raises(ValueError, match=r"\[middleware.maintenance\].*\$.eta"):
        pipeline(Maintenance, eta="soon")
