from __future__ import annotations

import pytest

from gateway.errors import InvalidParameter
from translators.images.changes import apply


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        (['CMD ["echo","x"]'], {"Cmd": ["echo", "x"]}),
        (["CMD echo x"], {"Cmd": ["/bin/sh", "-c", "echo x"]}),
        (['ENTRYPOINT ["a"]'], {"Entrypoint": ["a"], "Cmd": None}),
        (["ENV A=1 B='two words'"], {"Env": ["A=1", "B=two words"]}),
        (["ENV A=1", "ENV A=2"], {"Env": ["A=2"]}),
        (["ENV A the rest"], {"Env": ["A=the rest"]}),
        (["LABEL a=b", 'LABEL c="d e"'], {"Labels": {"a": "b", "c": "d e"}}),
        (["EXPOSE 80 90/udp 100-101"], {"ExposedPorts": {"80/tcp": {}, "90/udp": {}, "100/tcp": {}, "101/tcp": {}}}),
        (["VOLUME /a /b"], {"Volumes": {"/a": {}, "/b": {}}}),
        (
            ["USER 33:33", "WORKDIR /w", "WORKDIR x", "STOPSIGNAL USR1"],
            {"User": "33:33", "WorkingDir": "/w/x", "StopSignal": "USR1"},
        ),
        (["ONBUILD RUN x", "# a comment"], {"OnBuild": ["RUN x"]}),
        (["user 1\nworkdir /x"], {"User": "1", "WorkingDir": "/x"}),
    ],
)
def test_instructions_change_the_config(changes, config):
    assert apply({}, changes) == config


def test_the_given_config_is_left_alone():
    given = {"Env": ["A=1"]}
    assert apply(given, ["ENV A=2"]) == {"Env": ["A=2"]}
    assert given == {"Env": ["A=1"]}


@pytest.mark.parametrize("change", ["RUN true", "FROM x", "CMD", "EXPOSE 0", "EXPOSE x", "ENV =x y=z", "LABEL a=b c"])
def test_other_instructions_are_refused(change):
    with pytest.raises(InvalidParameter):
        apply({}, [change])
