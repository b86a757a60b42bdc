"""Affinities: from the environment and the label into the payload, and nowhere else."""

from __future__ import annotations

import json

import pytest

from gateway.errors import InvalidParameter
from middleware.placement import LABEL, Placement
from middleware.testing import pipeline


def hint(key, operator, value, value_type="exact", *, soft=False):
    return {"key": key, "operator": operator, "value": value, "valueType": value_type, "isSoft": soft}


def placed(env=None, labels=None):
    chain = pipeline(Placement)
    chain.run("container.create", {"Env": env, "Labels": labels}, payload={"uuid": "u", "affinity": []})
    return chain


DATABASE = hint("role", "==", "database")


@pytest.mark.parametrize(
    ("env", "label", "affinity"),
    [
        (None, None, []),
        ([], None, []),
        (["A=1", "ENV_NO_VALUE"], None, []),
        (["affinity:role==database"], None, [DATABASE]),
        (None, ["role==database"], [DATABASE]),
        (
            ["affinity:container!=~web*"],
            ["role==database"],
            [DATABASE, hint("container", "!=", "web*", "glob", soft=True)],
        ),
        (["affinity:container==/ard-[ab]$/"], None, [hint("container", "==", "/ard-[ab]$/", "re")]),
        (None, [], []),
    ],
)
def test_the_payload_gets_them_label_first(env, label, affinity):
    chain = placed(env, None if label is None else {LABEL: json.dumps(label)})
    assert chain.payload == {"uuid": "u", "affinity": affinity}


def test_the_environment_loses_them_and_the_label_shows_all():
    chain = placed(
        ["A=1", "affinity:role==database", "MY_affinity:x", "affinity:container!=web"],
        {"other": "kept", LABEL: '["zone==a1"]'},
    )
    assert chain.call.body.Env == ["A=1", "MY_affinity:x"]
    assert chain.call.body.Labels["other"] == "kept"
    assert json.loads(chain.call.body.Labels[LABEL]) == ["zone==a1", "role==database", "container!=web"]


def test_no_labels_at_all_is_no_trouble():
    chain = placed(["affinity:role==database"], None)
    assert chain.call.body.Labels == {LABEL: '["role==database"]'}


@pytest.mark.parametrize(("env", "labels"), [(["A=1"], {"x": "y"}), (None, {LABEL: '[ "role==database" ]'})])
def test_without_affinities_in_the_environment_the_body_stays_as_it_is(env, labels):
    chain = placed(env, labels)
    assert (chain.call.body.Env, chain.call.body.Labels) == (env, labels)


@pytest.mark.parametrize(
    ("env", "label", "message"),
    [
        (None, "[", "invalid affinities label: ["),
        (None, "", "invalid affinities label: "),
        (None, '"role==a1"', 'affinities label is not an array: "role==a1"'),
        (None, "[1]", "affinities label is not an array: [1]"),
        (["affinity:container=~foo"], None, "could not find operator in filter expression: expected one of ==, !=:"),
        (["affinity:container=="], None, "invalid value in filter expression"),
        (["affinity:==foo"], None, "invalid key in filter expression"),
        (None, '["container==/a!/"]', "invalid value in filter expression"),
    ],
)
def test_what_cannot_be_read_is_refused(env, label, message):
    with pytest.raises(InvalidParameter) as raised:
        placed(env, None if label is None else {LABEL: label})
    assert raised.value.status == 400
    assert raised.value.message.startswith(message)
