from __future__ import annotations

import pytest

from grammars.places import leads_to, place_of

HERE = ("localhost", 18001)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:18001",
        "http://127.9.9.9:18001/v2/",
        "https://LOCALHOST:18001/token?x=1",
        "http://localhost.:18001",
        "http://127.1:18001",
        "http://2130706433:18001",
        "http://0x7f.1:18001",
        "http://0.0.0.0:18001",
        "http://[::1]:18001/",
        "http://[::ffff:127.0.0.1]:18001/",
        "http://who:secret@127.0.0.1:18001/",
    ],
)
def test_every_spelling_of_this_machine_is_the_same_place(url):
    assert place_of(url) == HERE
    assert leads_to(url, {HERE})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:5000", "http://10.0.0.1:18001", "http://localhost.example:18001", "http:///v2/", "nonsense"],
)
def test_other_places_are_left_alone(url):
    assert not leads_to(url, {HERE})


def test_ports_that_go_without_saying():
    assert place_of("http://10.0.0.1/") == ("10.0.0.1", 80)
    assert place_of("https://vmapi.example") == ("vmapi.example", 443)
