"""The text of Dockerfiles: what is an instruction, where it ends, and what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammars.dockerfile import DockerfileError
from grammars.dockerfile.reading import heredoc_only, read, read_one, without_heredocs


def told(text):
    return [str(one) for one in read(text).instructions]


@pytest.mark.parametrize(
    ("text", "instructions"),
    [
        ("FROM a\nRUN x", ["FROM a", "RUN x"]),
        ("\ufefffrom a\r\nrun x\r\n", ["FROM a", "RUN x"]),
        ("# comment\n\n  # another\nFROM\ta", ["FROM a"]),
        ("RUN a \\\n  b", ["RUN a   b"]),
        ("RUN a \\\n# in between\n\n  && b\nCMD c", ["RUN a   && b", "CMD c"]),
        ("RUN a \\  \nb", ["RUN a b"]),
        ("RUN a \\\\\nCMD b", ["RUN a \\\\", "CMD b"]),
        ("RUN a \\", ["RUN a"]),
        ("# escape=`\nRUN c:\\ `\nd", ["RUN c:\\ d"]),
        ("# syntax=docker/dockerfile:1\n# escape=`\nRUN a `\nb", ["RUN a b"]),
        ("FROM a\n# escape=`\nRUN a `\nCMD b", ["FROM a", "RUN a `", "CMD b"]),
        ("COPY --from=x --chown=1:2 a b", ["COPY --from=x --chown=1:2 a b"]),
        ("RUN -- --flag", ["RUN --flag"]),
        ("RUN echo # no comment", ["RUN echo # no comment"]),
    ],
)
def test_instructions_are_read(text, instructions):
    assert told(text) == instructions


def test_lines_are_counted_from_where_an_instruction_begins():
    assert [one.line for one in read("\nFROM a\nRUN b \\\n c\n\nCMD d").instructions] == [2, 3, 6]


@pytest.mark.parametrize(
    ("text", "text_of", "expand"),
    [
        ("RUN <<EOF\na\n b\nEOF\nCMD x", "a\n b\n", True),
        ("RUN <<'EOF'\n$a\nEOF", "$a\n", False),
        ('RUN cat <<-"E" x\n\t\ta\n\tE', "a\n", False),
        ("COPY <<f /d\nEOF\nf", "EOF\n", True),
    ],
)
def test_here_documents_belong_to_their_instruction(text, text_of, expand):
    heredoc = read(text).instructions[0].heredocs[0]
    assert (heredoc.text, heredoc.expand) == (text_of, expand)


def test_several_here_documents_follow_each_other_and_quoted_marks_are_none():
    one = read("RUN a <<A <<B\n1\nA\n2\nB").instructions[0]
    assert [(doc.name, doc.text) for doc in one.heredocs] == [("A", "1\n"), ("B", "2\n")]
    assert read("RUN echo '<<A' \"<<B\" 1<<<x").instructions[0].heredocs == ()
    assert without_heredocs("<<A b <<'C' /d") == (["A", "C"], "b  /d")
    assert heredoc_only(" <<EOF ") and not heredoc_only("cat <<EOF")


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("", "no instructions", None),
        ("# only a comment", "no instructions", None),
        ("FROM a\nNOPE x", "unknown instruction: NOPE", 2),
        ("FROM", "FROM requires at least one argument", 1),
        ("RUN <<E\na", "unterminated heredoc", 1),
        ("# escape=x\nFROM a", "invalid escape token 'x'", 1),
        ("# escape=`\n# escape=`\nFROM a", "only one escape", 2),
    ],
)
def test_what_is_wrong_is_said_and_where(text, words, line):
    with pytest.raises(DockerfileError, match=words) as failed:
        read(text)
    assert failed.value.line == line


def test_a_single_instruction_is_read_for_onbuild():
    assert str(read_one("run x", number=7)) == "RUN x"
    with pytest.raises(DockerfileError):
        read_one("RUN a\nRUN b")


@given(st.text(alphabet=st.sampled_from("FROM RUNCPYaX\\`\n\t #<>-'\"$={}[],E")))
def test_any_text_is_read_or_refused(text):
    try:
        found = read(text).instructions
    except DockerfileError:
        return
    assert all(one.word and 1 <= one.line <= text.count("\n") + 1 for one in found)
