from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from datacenter.node.turns import Turns


def test_one_at_a_time_also_when_the_next_has_not_begun_yet():
    turns, inside, most = Turns(), [], []

    def hold(number):
        with turns.of("vm"):
            inside.append(number)
            most.append(len(inside))
            gevent.sleep(0)
            inside.remove(number)

    def twice():
        hold(1)
        hold(2)  # when the one who waited was woken, and does not run yet

    gevent.joinall([gevent.spawn(twice), gevent.spawn(hold, 3), gevent.spawn(hold, 4)], raise_error=True)
    assert most == [1, 1, 1, 1]


def test_names_do_not_wait_for_one_another_and_nothing_stays():
    turns, go = Turns(), Event()

    def hold():
        with turns.of("a"), turns.of("a"):
            go.wait()

    holder = gevent.spawn(hold)
    gevent.sleep(0)
    with turns.of("b"):
        assert len(turns) == 2
    with pytest.raises(ZeroDivisionError), turns.of("c"):
        raise ZeroDivisionError
    go.set()
    holder.join()
    assert len(turns) == 0
