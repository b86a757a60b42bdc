from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.references import Reference, check_digest, is_digest, parse

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "index", "remote", "local", "canonical", "tag", "digest"),
    [
        ("busybox", "docker.io", "library/busybox", "busybox", "docker.io/busybox", None, None),
        ("busybox:1.36", "docker.io", "library/busybox", "busybox", "docker.io/busybox", "1.36", None),
        (f"busybox@{DIGEST}", "docker.io", "library/busybox", "busybox", "docker.io/busybox", None, DIGEST),
        (f"busybox:a@{DIGEST}", "docker.io", "library/busybox", "busybox", "docker.io/busybox", "a", DIGEST),
        ("library/busybox", "docker.io", "library/busybox", "busybox", "docker.io/busybox", None, None),
        ("docker.io/busybox", "docker.io", "library/busybox", "busybox", "docker.io/busybox", None, None),
        ("index.docker.io/bob/img", "docker.io", "bob/img", "bob/img", "docker.io/bob/img", None, None),
        ("library/a/b", "docker.io", "library/a/b", "library/a/b", "docker.io/library/a/b", None, None),
        ("quay.io/org/img:v1", "quay.io", "org/img", "quay.io/org/img", "quay.io/org/img", "v1", None),
        ("quay.io/library/x", "quay.io", "library/x", "quay.io/library/x", "quay.io/library/x", None, None),
        ("localhost/img", "localhost", "img", "localhost/img", "localhost/img", None, None),
        (
            "localhost:5443/test/hello:x",
            "localhost:5443",
            "test/hello",
            "localhost:5443/test/hello",
            "localhost:5443/test/hello",
            "x",
            None,
        ),
        ("[::1]:5000/a__b/c--d", "[::1]:5000", "a__b/c--d", "[::1]:5000/a__b/c--d", "[::1]:5000/a__b/c--d", None, None),
        ("Foo/bar", "Foo", "bar", "Foo/bar", "Foo/bar", None, None),
    ],
)
def test_names(text, index, remote, local, canonical, tag, digest) -> None:
    reference = parse(text)
    assert reference == Reference(index, remote, tag, digest)
    assert reference.local_name == local
    assert reference.canonical_name == canonical
    assert parse(str(reference)) == parse(reference.canonical) == reference


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "invalid reference format"),
        ("/busybox", "invalid reference format"),
        ("busybox:", "invalid reference format"),
        ("busybox:tag:tag", "invalid reference format"),
        ("bus ybox", "invalid reference format"),
        ("-busybox", "invalid reference format"),
        ("busybox.", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("https://docker.io/busybox", "invalid reference format"),
        ("quay.io:port/img", "invalid reference format"),
        ("busybox@sha256:abc", "invalid reference format"),
        ("busybox:" + "t" * 129, "invalid reference format"),
        ("busybox\n", "invalid reference format"),
        ("X", "invalid reference format: repository name (library/X) must be lowercase"),
        ("bob/Img:Tag", "invalid reference format: repository name (bob/Img) must be lowercase"),
        ("a" * 260, "repository name must not be more than 255 characters"),
        ("ab" * 32, f"invalid repository name ({'ab' * 32}), cannot specify 64-byte hexadecimal strings"),
        ("busybox@md5:" + "ab" * 32, "unsupported digest algorithm"),
        ("busybox@sha256:" + "ab" * 20, "invalid checksum digest length"),
        ("busybox@sha256:" + "AB" * 32, "invalid checksum digest format"),
    ],
)
def test_refusals(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == sentence


def test_defaults_and_replacements() -> None:
    plain = parse("busybox")
    assert str(plain.with_default_tag()) == "busybox:latest"
    assert plain.with_tag("1").with_default_tag().tag == "1"
    assert plain.with_digest(DIGEST).with_default_tag().tag is None
    assert parse(f"busybox:1@{DIGEST}").with_tag("2") == parse("busybox:2")
    with pytest.raises(ValueError, match="^invalid tag format$"):
        plain.with_tag("no good")
    with pytest.raises(ValueError, match="^invalid checksum digest format$"):
        plain.with_digest("latest")


def test_digests() -> None:
    check_digest("sha512:" + "0" * 128)
    assert is_digest(DIGEST)
    assert not is_digest("latest")


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        reference = parse(text)
    except ValueError:
        return
    assert parse(str(reference)) == reference
