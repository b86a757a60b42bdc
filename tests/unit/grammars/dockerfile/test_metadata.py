"""What instructions make of a configuration, and how history tells them. Facts: moby's dispatchers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.dockerfile import DockerfileError
from grammars.dockerfile.health import nanoseconds
from grammars.dockerfile.metadata import CHANGES, Metadata, change
from grammars.dockerfile.reading import read_one


@pytest.mark.parametrize(
    ("given_config", "line", "config", "told"),
    [
        ({}, "CMD echo x", {"Cmd": ["/bin/sh", "-c", "echo x"]}, 'CMD ["/bin/sh" "-c" "echo x"]'),
        ({"Shell": ["/bash", "-e"]}, "CMD x", {"Shell": ["/bash", "-e"], "Cmd": ["/bash", "-e", "x"]}, None),
        ({"Cmd": ["old"]}, 'ENTRYPOINT ["a"]', {"Cmd": None, "Entrypoint": ["a"]}, 'ENTRYPOINT ["a"]'),
        ({"Cmd": ["old"]}, "ENTRYPOINT []", {"Cmd": None, "Entrypoint": None}, "ENTRYPOINT []"),
        ({"Env": ["A=1", "B=2"]}, 'ENV A="$B 3" C=x', {"Env": ["A=2 3", "B=2", "C=x"]}, "ENV A=2 3 C=x"),
        ({}, "LABEL a.b=c 'd e'=f", {"Labels": {"a.b": "c", "d e": "f"}}, "LABEL a.b=c d e=f"),
        ({"Env": ["P=81 82/udp"]}, "EXPOSE $P", {"ExposedPorts": {"81/tcp": {}, "82/udp": {}}}, "EXPOSE 81 82/udp"),
        ({}, 'VOLUME ["/a b", "/c"]', {"Volumes": {"/a b": {}, "/c": {}}}, "VOLUME [/a b /c]"),
        ({"WorkingDir": "/a"}, "WORKDIR ../b/./c/", {"WorkingDir": "/b/c"}, "WORKDIR /b/c"),
        ({}, "WORKDIR x", {"WorkingDir": "/x"}, None),
        ({"Env": ["U=me"]}, "USER $U", {"User": "me"}, "USER me"),
        ({}, "STOPSIGNAL SIGRTMIN+3", {"StopSignal": "SIGRTMIN+3"}, None),
        ({}, "STOPSIGNAL 9", {"StopSignal": "9"}, None),
        ({"OnBuild": ["RUN a"]}, "ONBUILD copy --from=x a b", {"OnBuild": ["RUN a", "COPY --from=x a b"]}, None),
        ({}, 'SHELL ["a","b"]', {"Shell": ["a", "b"]}, "SHELL [a b]"),
        ({}, "HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}, None),
        (
            {},
            'HEALTHCHECK --interval=1m30s --retries=2 CMD ["x"]',
            {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 90 * 10**9, "Retries": 2}},
            None,
        ),
        ({}, "HEALTHCHECK CMD a b", {"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}}, "HEALTHCHECK CMD a b"),
    ],
)
def test_an_instruction_changes_the_configuration(given_config, line, config, told):
    metadata = Metadata(given_config)
    said = metadata.apply(read_one(line))
    expected = given_config | config
    assert metadata.config == expected
    assert told is None or said == told


def test_a_command_set_before_its_entrypoint_stays():
    assert change({"Cmd": ["old"]}, ["CMD new", "ENTRYPOINT e"])["Cmd"] == ["/bin/sh", "-c", "new"]


def test_the_environment_wins_over_arguments_and_the_maintainer_is_kept_apart():
    metadata = Metadata({"Env": ["A=env"]})
    metadata.arguments = {"A": "arg", "B": "arg"}
    metadata.apply(read_one("LABEL a=$A b=$B"))
    metadata.apply(read_one("MAINTAINER somebody"))
    assert metadata.config["Labels"] == {"a": "env", "b": "arg"}
    assert metadata.author == "somebody"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("EXPOSE 0", "invalid containerPort: 0"),
        ("EXPOSE 9-8", "invalid containerPort"),
        ("USER a b", "exactly one argument"),
        ("STOPSIGNAL !", "invalid signal"),
        ("STOPSIGNAL $NONE", "invalid signal"),
        ("SHELL a", "JSON form"),
        ("VOLUME []", "empty string"),
        ("ENV =x", "blank"),
        ("ENV A", "two arguments"),
        ("WORKDIR $NONE", "cannot normalize nothing"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("ONBUILD FROM x", "isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK x", "Unknown type"),
        ("HEALTHCHECK NONE x", "takes no arguments"),
        ("HEALTHCHECK CMD", "Missing command"),
        ("HEALTHCHECK --interval=1 CMD x", "invalid duration"),
        ("HEALTHCHECK --interval=1us CMD x", "less than 1ms"),
        ("HEALTHCHECK --retries=x CMD x", "retries"),
        (f"HEALTHCHECK --retries={'9' * 5000} CMD x", "retries"),
        ("HEALTHCHECK --no=x CMD x", "unknown flag: no"),
    ],
)
def test_a_wrong_instruction_is_refused_with_its_line(line, words):
    with pytest.raises(DockerfileError, match=words) as failed:
        Metadata({}).apply(read_one(line, number=3))
    assert failed.value.line == 3


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1s", 10**9), ("1h2m3s", 3723 * 10**9), ("1.5s", 1_500_000_000), (".5ms", 500_000)]
)
def test_durations_are_gos(text, value):
    assert nanoseconds(text) == value


@given(st.sampled_from(sorted(CHANGES)), st.text(), st.text(max_size=10))
def test_any_change_is_applied_or_refused(word, rest, value):
    try:
        changed = change({"Env": [f"A={value}"], "WorkingDir": "/w"}, [f"{word} {rest}"])
    except DockerfileError:
        return
    assert changed.get("WorkingDir", "/").startswith("/")


def test_an_instruction_may_name_much():
    pairs = [f"A{n}={n}" for n in range(100_000)]
    assert change({"Env": ["A7=x", "B=y", "A7=z"]}, [f"ENV {' '.join(pairs)}"])["Env"][:4] == [
        "A7=7",
        "B=y",
        "A7=z",
        "A0=0",
    ]


@pytest.mark.parametrize(("change_", "words"), [
    ("EXPOSE " + "1-65535 " * 10_000, "names more than"),
    ("HEALTHCHECK --interval=" + "1" * 400_000 + " CMD x", "invalid duration"),
    ("HEALTHCHECK " + "--a " * 100_000 + "CMD x", "flags"),
])  # fmt: skip
def test_but_not_without_end(change_, words):
    with pytest.raises(DockerfileError, match=words):
        change({}, [change_])
