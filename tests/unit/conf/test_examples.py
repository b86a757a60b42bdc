"""The settings file as it is shipped, and the example members: loaded by their dotted paths, as operators do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gateway import settings as settings_module
from gateway.call import Reply
from gateway.chain_loading import find_class, load_members
from gateway.errors import Forbidden, InvalidParameter
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from middleware.testing import pipeline

ROOT = Path(__file__).parents[3]


def test_the_shipped_settings_load_and_are_the_defaults():
    loaded = settings_module.load(ROOT / "conf/gateway.toml", environ={})
    plain = Settings()
    assert Pipeline.load(loaded).describe() == Pipeline.load(plain).describe()
    for field in Settings.__struct_fields__:
        if field != "middleware":
            assert getattr(loaded, field) == getattr(plain, field), field
    shipped = [member.middleware.options for member in load_members(loaded)]
    assert shipped == [member.middleware.options for member in load_members(plain)]


def test_what_the_shipped_settings_comment_out_is_right_too():
    lines = (ROOT / "conf/gateway.toml").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# defaults = ["))
    limits = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines[start:]))
    assert load_members(Settings(chain=("quota",), middleware={"quota": limits}))


def test_the_chain_runs_an_operators_member_in_its_place():
    path = "conf.examples.office_hours.OfficeHours"
    chain = Pipeline.load(Settings(chain=("request_id", path, "packages"), middleware={"office_hours": {"opens": 9}}))
    names = [entry.partition(" ")[0] for entry in dict(chain.describe())["container.create"]]
    assert names == ["request_id", "office_hours", "packages"]


@pytest.mark.parametrize(
    ("hour", "login", "open_"), [(7, "jill", False), (8, "jill", True), (17, "jill", True), (18, "jill", False), (3, "oncall", True)]
)  # fmt: skip
def test_office_hours(monkeypatch, hour, login, open_):
    kind = find_class("conf.examples.office_hours.OfficeHours")
    module = __import__(kind.__module__, fromlist=["datetime"])

    class At(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 1, hour, 30)

    monkeypatch.setattr(module, "datetime", At)
    chain = pipeline(kind, exempt=["oncall"])
    chain.account = chain.account.__class__(uuid="u", login=login)
    if open_:
        assert chain.run("container.create", {}).status == 200
    else:
        with pytest.raises(Forbidden, match="new containers are made from 8:00 to 18:00 only"):
            chain.run("container.create", {})
    assert chain.run("container.start").status == 200


def test_office_hours_that_end_before_they_begin_stop_the_start_up():
    with pytest.raises(ValueError, match=r"\[middleware.office_hours\]: opens must come before closes"):
        pipeline(find_class("conf.examples.office_hours:OfficeHours"), opens=20)


def test_forced_labels():
    chain = pipeline(
        find_class("conf.examples.forced_labels.ForcedLabels"),
        labels={"site": "east"},
        required=["team"],
        hidden="internal.",
    )
    with pytest.raises(InvalidParameter, match="containers here need the label team: add --label team="):
        chain.run("container.create", {"Labels": None})
    chain.run("container.create", {"Labels": {"team": "a", "site": "west"}})
    assert chain.call.body.Labels == {"team": "a", "site": "east"}

    labels = {"team": "a", "internal.cost": "9"}
    listing = chain.make_call("container.list")
    assert list(chain.pipeline.filter_items(listing, [{"Labels": dict(labels)}])) == [{"Labels": {"team": "a"}}]
    reply = chain.run("container.inspect", answer=Reply(body={"Config": {"Labels": dict(labels)}}))
    assert reply.body == {"Config": {"Labels": {"team": "a"}}}
