"""What all services do alike, as restify does it."""

from __future__ import annotations

import pytest

SERVICES = ("vmapi", "wfapi", "cnapi", "imgapi", "napi", "papi", "fwapi", "volapi", "mahi", "cns", "cloudapi")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("method", ["PATCH", "OPTIONS"])
def test_a_wrong_method_is_told_the_right_ones(dc, name, method):
    path = "/my/machines/x/audit" if name == "cloudapi" else "/ping"
    answer = getattr(dc, name).app.test_client().open(path, method=method)
    assert answer.status == "405 Method Not Allowed"
    assert answer.json == {"code": "MethodNotAllowed", "message": f"{method} is not allowed"}
    assert answer.headers["Allow"] == "GET, HEAD"


def test_the_right_methods_are_in_the_order_of_the_routes(dc):
    for path, allowed in (("/networks", "GET, HEAD, POST"), ("/nic_tags/x", "GET, HEAD, PUT, DELETE")):
        assert dc.napi.app.test_client().open(path, method="PATCH").headers["Allow"] == allowed


def test_statuses_are_worded_as_node_does(dc):
    http = dc.napi.app.test_client()
    assert [http.get(path).status for path in ("/ping", "/nope", "/networks?x=1")] == [
        "200 OK",
        "404 Not Found",
        "422 Unprocessable Entity",
    ]
    assert dc.mahi.app.test_client().get("/ping").status == "204 No Content"


def test_a_request_is_about_what_its_path_names_where_that_can_be_a_header(dc):
    http = dc.wfapi.app.test_client()
    assert http.get("/jobs/here").headers["Request-Id"] == "here"
    assert http.get("/jobs/here", headers={"request-id": "mine"}).headers["Request-Id"] == "mine"
    for name in ("a%0d%0aSet-Cookie:%20x", "%C3%A9"):
        answer = http.get(f"/jobs/{name}", headers={"x-request-id": "theirs"})
        assert (answer.status_code, answer.headers["Request-Id"]) == (404, "theirs")
        assert "Set-Cookie" not in answer.headers
