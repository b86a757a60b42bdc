"""The table of options and the code name the same things."""

from __future__ import annotations

import ast
import re
import types
import typing
from pathlib import Path

import msgspec
import pytest

from gateway.blueprints import RESOURCES
from translators.containers.execs import ExecCreate, ExecStart
from translators.containers.model import ContainerCreate, HostConfig
from translators.networks.model import NetworkConnect, NetworkCreate, NetworkDisconnect
from translators.options import OPTIONS, Fate, Place
from translators.options.other_operations import NOT_UPDATED, UPDATED
from translators.system.auth import AuthConfig
from translators.volumes.model import VolumeCreate

ROOT = Path(__file__).parents[4]
MODELS = {
    "container.create": ContainerCreate,
    "exec.create": ExecCreate,
    "exec.start": ExecStart,
    "system.auth": AuthConfig,
    "network.create": NetworkCreate,
    "network.connect": NetworkConnect,
    "network.disconnect": NetworkDisconnect,
    "volume.create": VolumeCreate,
}
FREE_FORM = {"BindOptions", "VolumeOptions", "ImageOptions", "ClusterOptions"}
IN_UPDATE = {*UPDATED, *NOT_UPDATED}


def fields(model, prefix=""):
    """Every field of a model by its path; ``*`` stands for the elements of lists and maps."""
    for name, hint in typing.get_type_hints(model).items():
        if name in {"HostConfig", "NetworkingConfig"} and model is ContainerCreate:
            yield from fields(hint, f"{name}.")
            continue
        yield prefix + name
        if name not in FREE_FORM:
            yield from inner(hint, prefix + name)


def inner(hint, path):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from inner(argument, path)
    elif origin in (list, dict):
        yield from inner(arguments[-1], f"{path}.*")
    elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield from fields(hint, f"{path}.")


def named(operation, place=Place.BODY):
    return [row.name for row in OPTIONS if row.operation == operation and row.place is place]


@pytest.mark.parametrize("operation", MODELS)
def test_every_field_of_a_model_has_its_row_and_every_row_its_field(operation):
    found = set(fields(MODELS[operation])) - {"NetworkingConfig.EndpointsConfig.*.IPAMConfig"}
    assert found == set(named(operation))


def test_update_has_rows_of_fields_that_its_model_has():
    assert set(named("container.update")) == IN_UPDATE
    assert set(HostConfig.__struct_fields__) >= IN_UPDATE


def test_no_option_has_two_rows():
    keys = [(row.operation, row.place, row.name) for row in OPTIONS]
    assert [key for key in keys if keys.count(key) > 1] == []


def test_every_row_is_of_an_operation_that_is_served():
    served = {name for resource in RESOURCES for name in resource.handled}
    assert {row.operation for row in OPTIONS} <= served


def read_parameters():
    """The parameters that code asks a call for, by the names written in it."""
    for room in ("gateway", "translators"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                    continue
                target = ast.unparse(node.func)
                asks = re.fullmatch(r"call\.(arg|flag|query\.get)|_int|_flag", target) is not None
                if asks and isinstance(node.args[0], ast.Constant):
                    yield node.args[0].value


def words_of_the_code():
    """Every text constant of the rooms that could read a parameter."""
    for room in ("gateway", "translators"):
        for path in (ROOT / room).rglob("*.py"):
            if "options" not in path.relative_to(ROOT).parts:
                yield from (n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant))


def test_parameters_that_are_honoured_are_read_and_those_that_are_read_are_told():
    read = set(read_parameters())
    rows = [row for row in OPTIONS if row.place is Place.QUERY]
    effective = {row.name for row in rows if row.fate in {Fate.HONOURED, Fate.MAPPED}} - {"v"}
    assert effective - read - set(words_of_the_code()) == set(), "said to be honoured, and never read"
    assert read - {row.name for row in rows} == set(), "read by the code, but in no row of translators/options"


def test_every_effect_is_shown_by_a_sample_a_case_or_a_test():
    for row in OPTIONS:
        if row.fate is Fate.PLAIN:
            assert row.note, row
        elif row.fate in {Fate.WARNED, Fate.REFUSED}:
            assert any(case.fate is row.fate for case in row.cases) or row.note, row
        elif not row.samples:
            check_proof(row)


def check_proof(row):
    assert row.proof, row
    if row.proof.startswith("option:"):
        parent = row.proof.removeprefix("option:").rstrip(".*")
        assert any(other.name.rstrip(".*") == parent and (other.samples or other.cases) for other in OPTIONS), row
        return
    file, _, test = row.proof.partition("::")
    text = (ROOT / file).read_text()
    assert not test or f"def {test}(" in text, row
    assert test or row.leaf.lower() in text.lower(), f"{file} does not so much as name {row.leaf} of {row.operation}"


def test_node_keys_are_those_the_embedded_node_reads():
    """Whatever is written into ``docker:linux`` is read by somebody there."""
    text = "".join(path.read_text() for path in (ROOT / "datacenter/node").rglob("*.py"))
    for row in OPTIONS:
        assert not row.key or f'"{row.key}"' in text, row.key
