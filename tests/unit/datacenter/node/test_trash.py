from __future__ import annotations

from datacenter.node import spawn, trash
from datacenter.node.trash import Trash


def test_one_program_deletes_what_was_discarded_meanwhile(tmp_path, monkeypatch):
    started = []
    run = spawn.run

    def counted(argv, **options):
        started.append(len(argv))
        return run(argv, **options)

    monkeypatch.setattr(spawn, "run", counted)
    monkeypatch.setattr(trash, "GATHER_SECONDS", 0.01)
    folder = tmp_path / "trash"
    folder.mkdir()
    bin_ = Trash(folder)
    for name in ("a", "b", "c"):
        (tmp_path / name / "below").mkdir(parents=True)
        bin_.discard(tmp_path / name)
        assert not (tmp_path / name).exists()
    bin_.discard(tmp_path / "never was")
    bin_._sweeper.join(10)
    assert list(folder.iterdir()) == []
    assert len(started) == 1


def test_what_cannot_be_deleted_is_tried_once_at_a_time_and_stays(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(spawn, "run", lambda argv, **_: tried.append(argv[3:]))
    monkeypatch.setattr(trash, "GATHER_SECONDS", 0.01)
    folder = tmp_path / "trash"
    folder.mkdir()
    bin_ = Trash(folder)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        bin_.discard(tmp_path / name)
        bin_._sweeper.join(10)
    first, *_ = tried[0]
    assert [len(paths) for paths in tried] == [1, 2]
    assert first in tried[1]


def test_a_start_empties_it_at_once(tmp_path):
    (tmp_path / "left" / "behind").mkdir(parents=True)
    assert Trash(tmp_path).empty() == {str(tmp_path / "left")}
    assert list(tmp_path.iterdir()) == []
