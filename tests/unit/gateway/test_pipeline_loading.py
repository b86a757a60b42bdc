"""What stops the start-up, and how it is said."""

from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from gateway import chain_loading
from gateway.chain_loading import find_class, load_members, make_member
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from middleware.base import Middleware, Options


class Fine(Middleware):
    name = "fine"
    runs_on = ("container.create",)

    class Options(Options):
        until: int = 6
        words: tuple[str, ...] = ()

        def __post_init__(self):
            if self.until > 23:
                raise ValueError("until must be an hour")

    def before(self, call): ...

    def _private(self): ...


@pytest.fixture
def module(monkeypatch):
    """A module an operator wrote."""
    module = types.ModuleType("operators_own")
    module.Fine = Fine
    module.number = 7
    monkeypatch.setitem(sys.modules, "operators_own", module)
    return module


def settings(*chain, **sections):
    return Settings(chain=chain, middleware=sections)


def test_the_default_chain_loads():
    members = load_members(Settings())
    assert [member.name for member in members] == list(Settings().chain)
    assert Pipeline(members).describe()


def test_options_whose_default_is_another_setting():
    chosen = Settings(state_dir="/srv/gw", socket_account="jill", middleware={"audit": {"file": "-"}})
    options = {member.name: member.middleware.options for member in load_members(chosen)}
    assert options["authentication"].socket_account == "jill"
    assert options["maintenance"].file == "/srv/gw/maintenance"
    assert options["audit"].file == "-"


@pytest.mark.parametrize("path", ["operators_own.Fine", "operators_own:Fine"])
def test_members_by_dotted_path(module, path):
    (member,) = load_members(settings(path, fine={"until": 8, "words": ["a"]}))
    assert member.middleware.options == Fine.Options(until=8, words=("a",))
    assert member.operations == {"container.create"}


def test_members_by_entry_point(module, monkeypatch):
    entry = EntryPoint(name="nice", value="operators_own:Fine", group=chain_loading.ENTRY_POINTS)
    monkeypatch.setattr(chain_loading, "entry_points", lambda **wanted: EntryPoints([entry]).select(**wanted))
    assert find_class("nice") is Fine
    with pytest.raises(ValueError, match="no middleware 'nise'; did you mean 'nice'"):
        find_class("nise")


def test_common_settings_are_taken_from_the_members_section(module):
    section = {"runs_on": ["image.*"], "on_error": "open", "observe": True, "until": 3}
    (member,) = load_members(settings("operators_own.Fine", fine=section))
    assert (member.on_error, member.observe) == ("open", True)
    assert "image.create" in member.operations
    assert "container.create" not in member.operations


def test_scope_never_holds_open_operations():
    (member,) = load_members(settings("request_id"))
    assert "system.ping" not in member.operations
    assert "system.version" in member.operations


@pytest.mark.parametrize(
    ("chain", "sections", "message"),
    [
        (["quoota"], {}, "there is no middleware 'quoota'; did you mean 'quota'"),
        (["base"], {}, "there is no middleware 'base'"),
        (["nowhere.at.All"], {}, "no module 'nowhere'"),
        (["operators_own.Missing"], {}, "operators_own has no class 'Missing'"),
        (["operators_own.number"], {}, "is not a subclass of middleware.base.Middleware"),
        (["operators_own.Fine", "operators_own:Fine"], {}, "'fine' is listed twice"),
        (["operators_own.Fine"], {"fine": {"until": "x"}}, r"\[middleware.fine\]: Expected `int`.*\$.until"),
        (["operators_own.Fine"], {"fine": {"untill": 1}}, "unknown field `untill`"),
        (["operators_own.Fine"], {"fine": {"until": 24}}, "until must be an hour"),
        (["operators_own.Fine"], {"fine": {"on_error": "maybe"}}, r"Invalid enum value 'maybe'.*\$.on_error"),
        (["operators_own.Fine"], {"fine": {"runs_on": ["container.crate"]}}, "did you mean 'container.create'"),
        (["operators_own.Fine"], {"fine": {"runs_on": ["contain*"]}}, "no operation 'contain\\*'"),
        (["operators_own.Fine"], {"fine": {"runs_on": ["system.ping"]}}, "no operation 'system.ping'"),
        (["operators_own.Fine"], {"fin": {}}, r"\[middleware.fin\]: the chain has no such member; did you mean 'fine'"),
    ],
)
def test_wrong_settings_stop_the_start_up(module, chain, sections, message):
    with pytest.raises(ValueError, match=message):
        load_members(settings(*chain, **sections))


def test_a_section_of_a_built_in_that_is_switched_off_is_no_error():
    assert load_members(settings("request_id", quota={"defaults": []}))


def wrong(**attributes):
    return type("Wrong", (Middleware,), {"name": "wrong", "before": lambda self, call: None, **attributes})


async def _asynchronous(self, call): ...


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (wrong(befor=lambda self, call: None), "'befor' is none of the moments .*; did you mean 'before'"),
        (wrong(helper=lambda self: None), "methods of your own begin with an underscore"),
        (wrong(before=lambda self: None), r"before must take \(self, call"),
        (wrong(after=lambda self, call: None), r"after must take \(self, call.*reply"),
        (wrong(before=_asynchronous), "is async; moments are plain functions"),
        (wrong(Options=dict), "Options is not a subclass of middleware.base.Options"),
        (wrong(runs_on=("container.nope",)), "no operation 'container.nope'"),
        (type("Empty", (Middleware,), {"name": "empty"}), "has none of the moments"),
    ],
)
def test_wrong_members_stop_the_start_up(kind, message):
    with pytest.raises(ValueError, match=message):
        make_member(kind, {})
