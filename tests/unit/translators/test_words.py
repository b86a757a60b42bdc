"""Names, labels, filters, errors, look-up: small rules, in tables."""

from __future__ import annotations

import pytest

from gateway.errors import (
    Conflict,
    DeadlineExceeded,
    InternalError,
    InvalidParameter,
    NotFound,
    Unavailable,
)
from sdc.errors import SdcError, SdcTimeout, SdcUnavailable
from translators.containers.lookup import pick
from translators.errors import speaking_docker
from translators.filters import matches, parse_filters, truth
from translators.labels import from_tags, to_tags
from translators.names import check_name, random_name


@pytest.mark.parametrize("name", ["web", "/web", "a0", "A_b.c-d", "0x"])
def test_good_names(name):
    assert check_name(name) == name.lstrip("/")


@pytest.mark.parametrize("name", ["a", "", "/", "-web", "we b", "wéb", "a/b", "web\n", "//web"])
def test_bad_names(name):
    with pytest.raises(InvalidParameter) as refused:
        check_name(name)
    assert refused.value.message == f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"


def test_made_up_names_are_good_names():
    for _ in range(200):
        assert check_name(random_name())


@pytest.mark.parametrize(("label", "value", "tag"), [
    ("a.b", "c", ("docker:label:a.b", "c")), ("triton.cns.disable", "true", ("triton.cns.disable", True)),
    ("triton.cns.services", "web:80:weight=3,db", ("triton.cns.services", "web:80:weight=3,db")),
    ("triton._test.number", "1.5", ("triton._test.number", 1.5)), ("triton._test.number", "7", ("triton._test.number", 7)),
    ("triton.cns.reverse_ptr", "a.example.com", ("triton.cns.reverse_ptr", "a.example.com")),
    ("triton.cmon.groups", "a,b", ("triton.cmon.groups", "a,b")),
])  # fmt: skip
def test_labels_to_tags_and_back(label, value, tag):
    tags = to_tags({label: value, "com.joyent.package": "x"})
    assert tags == {tag[0]: tag[1]}
    assert from_tags(tags) == {label: value}


@pytest.mark.parametrize(("label", "value"), [
    ("triton.nope", "1"), ("triton.cns.disable", "1"), ("triton._test.number", ""), ("triton.cns.services", "-x"),
    ("triton.cns.services", "a:99999"), ("triton.cns.services", "a:colour=1"), ("triton.cns.reverse_ptr", "a b"),
    ("triton.cmon.groups", "a,a"), ("triton.cmon.groups", "a b"),
])  # fmt: skip
def test_bad_triton_labels(label, value):
    with pytest.raises(InvalidParameter, match="invalid label: "):
        to_tags({label: value})


def test_filters_in_both_forms():
    assert parse_filters('{"a":["1","2"],"b":{"3":true,"4":false},"c":[]}', "abc") == {"a": ["1", "2"], "b": ["3", "4"]}
    assert parse_filters("", "a") == {}
    assert truth({"a": ["true"]}, "a") is True
    assert truth({"a": ["0"]}, "a") is False
    assert truth({}, "a") is None


@pytest.mark.parametrize("text", ["{", "[]", '"a"', '{"a":1}', '{"a":[1]}', '{"a":{"x":"y"}}', '{"z":["1"]}', "\ud800"])
def test_bad_filters(text):
    with pytest.raises(InvalidParameter, match="invalid filter"):
        parse_filters(text, "a")


FIELDS = [{"field": "alias", "code": "Duplicate", "message": "Already exists"}, {"field": "ram", "code": "Invalid"}]
FULL_POOL = [{"field": "network_uuid", "code": "InvalidParameter", "message": "all networks in pool are full"}]


@pytest.mark.parametrize(("error", "kind", "message"), [
    (SdcTimeout("vmapi", 504, "Timeout", "x"), DeadlineExceeded, "doing: the data center did not answer in time"),
    (SdcUnavailable("vmapi", 503, "X", "10.0.0.1"), Unavailable, "doing: the data center is not available, try again later"),
    (SdcError("vmapi", 409, "ValidationFailed", "Invalid VM parameters", FIELDS), InvalidParameter,
     'doing: Invalid VM parameters: "alias" (Duplicate) Already exists, "ram" (Invalid)'),
    (SdcError("vmapi", 409, "VolumeServerNoResourcesError", "no room"), Conflict, "doing: no room"),
    (SdcError("napi", 507, "SubnetFull", "10.1.2.0/24"), Unavailable, "doing: no address is left on the network"),
    (SdcError("vmapi", 422, "InvalidParameters", "Invalid parameters", FULL_POOL), Unavailable,
     "doing: no address is left on the network"),
    (SdcError("vmapi", 409, "UnallocatedVM", "x"), Conflict, "doing: the container's state does not allow it"),
    (SdcError("vmapi", 404, "ResourceNotFound", "x"), NotFound, "doing: not found"),
    (SdcError("fwapi", 500, "InternalError", "at /opt/smartdc"), InternalError, "doing"),
])  # fmt: skip
def test_errors_tell_what_an_account_may_know(error, kind, message):
    with pytest.raises(kind) as told, speaking_docker("doing"):
        raise error
    assert told.value.message == message
    assert told.value.__cause__ is error


def vm(alias, digits):
    return {"alias": alias, "uuid": digits, "internal_metadata": {"docker:id": digits * 8}}


def test_a_full_id_wins_over_a_name_and_a_name_over_a_prefix():
    full = "abcdef01" * 8
    vms = [vm(full, "99999999"), vm("abc", "77777777"), vm("x", "abcdef01"), vm("y", "abd00000")]
    assert pick(vms, full)["alias"] == "x"
    assert pick(vms, "abc")["uuid"] == "77777777"
    assert pick(vms, "/abc")["uuid"] == "77777777"
    assert pick(vms, "abcd")["alias"] == "x"
    with pytest.raises(InvalidParameter, match="multiple IDs found with provided prefix: ab"):
        pick(vms, "ab")
    with pytest.raises(NotFound, match="No such container: zz"):
        pick(vms, "zz")


@pytest.mark.parametrize(("text", "wanted", "is_found"), [
    ("web-1", "web", True),
    ("web-1", "^web-[0-9]$", True),
    ("web-1", "^1", False),
    ("a+b", "a+b", True),
    ("web", "[", False),
    ("web", "(?!db)web", False),
    ("web", "(.{1000}){1000}", False),
])  # fmt: skip
def test_filters_match_texts_or_expressions_of_gos(text, wanted, is_found):
    assert matches(text, wanted) is is_found


@pytest.mark.parametrize("wanted", ["(a|a)*$!", "(a+)+$!", "(.*)*!"])
def test_no_expression_takes_longer_than_its_text_is_long(wanted):
    """Python's own engine would be at these for ages."""
    assert not matches("a" * 5000, wanted)
