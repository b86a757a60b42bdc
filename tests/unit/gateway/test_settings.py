"""Settings: the file, then the environment; what is wrong is said of where it stands."""

from __future__ import annotations

import pytest

from gateway.settings import load


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gateway.toml"
    path.write_text('workers = 3\n[triton]\ndatacenter_name = "east-1"\n')
    return path


def test_the_environment_wins_over_the_file(file):
    settings = load(file, {"GATEWAY_TRITON__DATACENTER_NAME": "west-1", "GATEWAY_LISTEN": '["tcp://[::1]:2376"]'})
    assert (settings.workers, settings.triton.datacenter_name) == (3, "west-1")
    assert settings.listen == ("tcp://[::1]:2376",)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"GATEWAY_WORKERS": "many"}, r"^GATEWAY_WORKERS: Expected `int`"),
        ({"GATEWAY_TRITON__JOB_TIMEOUT": "-1"}, r"^GATEWAY_TRITON__JOB_TIMEOUT: .* at `\$\.triton\.job_timeout`"),
        ({"GATEWAY_INTERFACE": "eth0"}, r"^GATEWAY_INTERFACE: .*unknown field `interface`"),
        (
            {"GATEWAY_TRITON": "3", "GATEWAY_TRITON__JOB_TIMEOUT": "1"},
            "^GATEWAY_TRITON__JOB_TIMEOUT: triton is no section",
        ),
    ],
)
def test_a_wrong_variable_is_called_by_its_name(file, environ, words):
    with pytest.raises(ValueError, match=words):
        load(file, {**environ, "GATEWAY_LOG_LEVEL": "info"})


def test_a_wrong_file_is_called_by_its_name(file):
    file.write_text("workers = 0\n")
    with pytest.raises(ValueError, match=rf"^{file}: "):
        load(file, {"GATEWAY_LOG_LEVEL": "info"})
    with pytest.raises(ValueError, match="no settings file at"):
        load(file.with_name("none.toml"), {})
