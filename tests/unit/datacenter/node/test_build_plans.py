"""What a build makes of its Dockerfile before anything runs: stages, arguments, sources, what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacenter.node.build.arguments import MetaArguments, StageArguments, unused
from datacenter.node.build.channel import BuildError
from datacenter.node.build.copying import destination, names_a_file, read_copy
from datacenter.node.build.ignore import ignored
from datacenter.node.build.stages import plan
from datacenter.node.files import patterns
from grammars.dockerfile import DockerfileError
from grammars.dockerfile.metadata import Metadata
from grammars.dockerfile.reading import read, read_one


def planned(text, target="", **arguments):
    return plan(read(text), arguments, target, "amd64")


def test_a_file_is_split_into_stages():
    made = planned("ARG V=1\nFROM a:$V AS One\nRUN x\nCMD y\nFROM one\nUSER z")
    assert [(stage.base, stage.name, [str(step) for step in stage.steps]) for stage in made.stages] == [
        ("a:1", "one", ["RUN x", "CMD y"]),
        ("one", "", ["USER z"]),
    ]
    assert made.steps == 6


@pytest.mark.parametrize(
    ("target", "bases"), [("", ["a", "b", "c"]), ("two", ["a", "b"]), ("TWO", ["a", "b"]), ("0", ["a"])]
)
def test_the_target_is_the_last_stage(target, bases):
    assert [stage.base for stage in planned("FROM a\nFROM b AS two\nFROM c", target).stages] == bases


def test_variables_of_from_are_arguments_and_the_platform():
    text = "ARG A=x\nARG B=${A}y\nFROM --platform=$BUILDPLATFORM $B-$TARGETARCH"
    assert [(stage.base, stage.platform) for stage in planned(text).stages] == [("xy-amd64", "linux/amd64")]
    assert planned(text, A="given").stages[0].base == "giveny-amd64"


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("RUN x", "", "no build stage"),
        ("ARG A", "", "no build stage"),
        ("FROM a b", "", "either one or three"),
        ("FROM a IS b", "", "either one or three"),
        ("FROM a AS 1b", "", "invalid name for build stage"),
        ("FROM $NONE", "", "should not be blank"),
        ("FROM --no=x a", "", "unknown flag: no"),
        ("FROM a", "none", "failed to reach build target"),
    ],
)
def test_what_makes_no_stage_is_refused(text, target, words):
    with pytest.raises(DockerfileError, match=words):
        planned(text, target)


def test_arguments_are_known_where_they_are_declared():
    meta = MetaArguments({"GIVEN": "g", "LEFT": "l", "HTTP_PROXY": "p"}, "amd64", "\\")
    meta.declare(read_one("ARG AHEAD=a"))
    stage = StageArguments(meta)
    assert stage.values == {"HTTP_PROXY": "p"}
    for name, default in (("GIVEN", "own"), ("OWN", "own"), ("AHEAD", None), ("NONE", None), ("TARGETOS", None)):
        stage.declare(name, default)
    assert stage.values == {"HTTP_PROXY": "p", "GIVEN": "g", "OWN": "own", "AHEAD": "a", "TARGETOS": "linux"}
    assert stage.told({"OWN": "of the environment"}) == ["AHEAD=a", "GIVEN=g", "TARGETOS=linux"]
    assert unused(meta) == ["LEFT"]


@pytest.mark.parametrize(
    ("line", "sources", "dest", "more"),
    [
        ("COPY a b", ("a",), "b", {}),
        ('COPY ["a b", "c/"]', ("a b",), "c/", {}),
        (
            "COPY --from=x --chown=$U:2 --chmod=0750 a $D/",
            ("a",),
            "/d/",
            {"origin": "x", "owner": "me:2", "mode": 0o750},
        ),
        ("ADD a b c/", ("a", "b"), "c/", {"word": "ADD"}),
    ],
)
def test_copies_are_read(line, sources, dest, more):
    found = read_copy(read_one(line), Metadata({"Env": ["U=me", "D=/d"]}))
    assert (found.sources, found.dest) == (sources, dest)
    assert {key: getattr(found, key) for key in more} == more


def test_here_documents_are_sources():
    instruction = read("COPY a <<one <<'two' /d/\n$X \"q\" 'r'\none\n$X\ntwo\n").instructions[0]
    found = read_copy(instruction, Metadata({"Env": ["X=v"]}))
    assert (found.sources, found.dest) == (("a",), "/d/")
    assert found.inline == ({"name": "one", "text": "v \"q\" 'r'\n"}, {"name": "two", "text": "$X\n"})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("COPY a", "at least two arguments"),
        ("COPY a b c", "must be a directory and end with a /"),
        ("ADD https://x/y /z", "remote source is not supported"),
        ("ADD git@github.com:a/b /z", "remote source is not supported"),
        ("COPY https://x/y /z", "can't be a URL"),
        ("ADD --from=x a b", "unknown flag: from"),
        ("COPY --link a b", "requires BuildKit"),
        ("COPY --chmod=u+x a b", "invalid chmod"),
    ],
)
def test_copies_that_cannot_be_are_refused(line, words):
    with pytest.raises((DockerfileError, BuildError), match=words):
        read_copy(read_one(line), Metadata({}))


@pytest.mark.parametrize(
    ("dest", "workdir", "path", "is_file"),
    [
        ("x", "/w", "/w/x", True),
        ("./", "/w", "/w", False),
        (".", "", "/", False),
        ("/a/../b", "/w", "/b", True),
        ("../../..", "/w", "/", False),
        ("/x/", "/w", "/x", False),
    ],
)
def test_destinations_stay_in_the_container(dest, workdir, path, is_file):
    found = read_copy(read_one(f"COPY a {dest}"), Metadata({}))
    assert (destination(found, workdir), names_a_file(found, {"file": True})) == (path, is_file)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "a/b.txt", False),
        ("a?c", "abc", True),
        ("[a-c]x", "bx", True),
        ("[^a]x", "ax", False),
        ("\\*", "*", True),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("a/**", "a/b/c", True),
        ("w*.txt", "w\n.txt", True),
    ],
)
def test_patterns_are_gos(pattern, name, fits):
    assert patterns.match(pattern, name) is fits


@given(st.text(alphabet=st.sampled_from("ab*?[]^-\\/.!")), st.text(alphabet=st.sampled_from("ab/.-")))
def test_any_pattern_matches_or_is_refused(pattern, name):
    try:
        patterns.match(pattern, name)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("text", "path", "out"),
    [
        ("Dockerfile", "Dockerfile", True),
        ("# Dockerfile", "Dockerfile", False),
        ("*\n!Dockerfile", "Dockerfile", False),
        ("build", "build/Dockerfile", True),
        ("**/Docker*", "a/b/Dockerfile", True),
        ("/Dockerfile", "Dockerfile", True),
        ("[", "Dockerfile", False),
    ],
)
def test_dockerignore_may_keep_a_file_out(text, path, out):
    assert ignored(path, text) is out
