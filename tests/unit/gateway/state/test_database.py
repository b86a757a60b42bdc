from __future__ import annotations

import threading

import pytest

from gateway.state.database import Database


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "db")
    database.execute("CREATE TABLE counts (name TEXT PRIMARY KEY, n INTEGER)")
    database.execute("INSERT INTO counts VALUES ('a', 0)")
    return database


def test_a_transaction_is_one_s_own(database):
    def count():
        for _ in range(50):
            with database.transaction():
                n = database.query("SELECT n FROM counts")[0]["n"]
                database.execute("UPDATE counts SET n = ?", (n + 1,))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.query("SELECT n FROM counts")[0]["n"] == 200


def test_workers_wait_for_one_another(database, tmp_path):
    other = Database(tmp_path / "db")
    with database.transaction():
        database.execute("UPDATE counts SET n = 1")
        waiting = threading.Thread(target=other.execute, args=("UPDATE counts SET n = n + 1",))
        waiting.start()
    waiting.join()
    assert other.query("SELECT n FROM counts")[0]["n"] == 2


def test_what_fails_is_undone_as_a_whole(database):
    with pytest.raises(ZeroDivisionError), database.transaction():
        database.execute("UPDATE counts SET n = 9")
        raise ZeroDivisionError
    assert database.query("SELECT n FROM counts")[0]["n"] == 0
