"""What follows from the space on the disk: the marks, the reserve, and how soon to look again. No process, no mount."""

import os

import pytest

from jcq.cluster.space import NAME, Decision, Look, Marks, Reserve, decide, marks, pause_s, says_full
from jcq.site import Site

MIB = 1024 * 1024


def look(total=64 * MIB, free=32 * MIB, files=10_000, reserve=8 * MIB, database_ended=False, spent=False):
    return Look(total, free, files, reserve, database_ended, spent)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (1 << 40, Marks(64 * MIB, 16 * MIB, 8 * MIB)),
        (512 * MIB, Marks(64 * MIB, 16 * MIB, 8 * MIB)),
        (64 * MIB, Marks(8 * MIB, 2 * MIB, MIB)),
        (16 * MIB, Marks(2 * MIB, MIB, MIB // 2)),
    ],
)
def test_the_reserve_is_the_smaller_of_64_mib_and_an_eighth(total, expected):
    assert marks(total) == expected


@pytest.mark.parametrize("total", [4 * MIB, 16 * MIB, 64 * MIB, 512 * MIB, 1 << 40])
def test_the_marks_are_in_order(total):
    limits = marks(total)
    assert 0 < limits.critical < limits.low < total // 8 + 1
    assert limits.low <= limits.reserve


@pytest.mark.parametrize(
    ("short", "seen", "expected"),
    [
        # All is well; the reserve is made at the start.
        (False, look(), Decision(False)),
        (False, look(reserve=0), Decision(False, make_reserve=True)),
        # Little space, but no reason to refuse anything; there is no room for a reserve.
        (False, look(free=3 * MIB), Decision(False)),
        (False, look(free=11 * MIB, reserve=0), Decision(False)),
        # Below the low mark, below the critical one.
        (False, look(free=2 * MIB - 1), Decision(True)),
        (False, look(free=MIB - 1), Decision(True, free_reserve=True)),
        (False, look(free=0, reserve=0), Decision(True)),
        # jcdbs ended: a quota, perhaps, of which the file system says nothing.
        (False, look(database_ended=True), Decision(True, free_reserve=True)),
        (True, look(database_ended=True, reserve=0), Decision(True)),
        # It does not waver: not before there is room for the reserve and twice the low mark.
        (True, look(free=3 * MIB), Decision(True)),
        (True, look(free=4 * MIB), Decision(False)),
        (True, look(free=12 * MIB - 1, reserve=0), Decision(True)),
        (True, look(free=12 * MIB, reserve=0), Decision(True, make_reserve=True)),
        # An earlier run freed the reserve, and there is no room for it yet.
        (False, look(free=11 * MIB, reserve=0, spent=True), Decision(True)),
        (False, look(free=12 * MIB, reserve=0, spent=True), Decision(True, make_reserve=True)),
        # Files run out as well; some file systems do not count them.
        (False, look(files=3), Decision(True)),
        (True, look(files=3), Decision(True)),
        (False, look(files=None), Decision(False)),
        # One that was made when the file system was another size.
        (False, look(reserve=5 * MIB), Decision(False)),
        (False, look(reserve=3 * MIB), Decision(False, make_reserve=True)),
    ],
)
def test_what_follows_from_a_look(short, seen, expected):
    assert decide(short, seen) == expected


@pytest.mark.parametrize(
    ("short", "seen", "used_per_s", "pause"),
    [
        (True, look(), 0, 0.25),
        (False, look(), 0, 1.0),
        # 30 MiB above the mark: so many seconds, and a quarter of them.
        (False, look(), 30 * MIB, 0.25),
        (False, look(), 300 * MIB, 0.05),
        (False, look(), 1 * MIB, 1.0),
        (False, look(free=MIB), 0, 0.05),
    ],
)
def test_how_soon_to_look_again(short, seen, used_per_s, pause):
    assert pause_s(short, seen, used_per_s) == pytest.approx(pause)


# --- the file ----------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    made = Site("/", str(tmp_path), name="testsite")
    os.mkdir(made.database)
    return made


def test_the_reserve_has_real_blocks(site):
    reserve = Reserve(site)
    assert (reserve.size(), reserve.look().spent) == (0, False)
    assert not reserve.free()
    limits = Marks(MIB, 256 * 1024, 128 * 1024)
    reserve.make(limits)
    assert reserve.size() == MIB
    assert os.stat(os.path.join(site.database, NAME)).st_blocks * 512 >= MIB
    assert os.listdir(site.database) == [NAME]
    assert reserve.look().reserve == MIB
    assert reserve.free()
    assert not reserve.free()
    # The next run knows from the empty file that there was no space.
    seen = reserve.look()
    assert (seen.reserve, seen.spent) == (0, True)
    reserve.make(limits)
    assert not reserve.look().spent


def test_a_sparse_file_is_no_reserve(site):
    with open(os.path.join(site.database, NAME), "wb") as file:
        file.truncate(MIB)
    assert Reserve(site).size() == 0


def test_a_file_system_that_cannot_promise_blocks_gets_them_written(site, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.posix_fallocate", refuse)
    reserve = Reserve(site)
    reserve.make(Marks(MIB + 4096, 4096, 2048))
    assert reserve.size() == MIB + 4096


def test_a_reserve_that_cannot_be_made_leaves_nothing(site, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        Reserve(site).make(Marks(MIB, 4096, 2048))
    assert os.listdir(site.database) == []


def test_what_a_killed_run_left_of_a_reserve_is_freed_too(site):
    with open(os.path.join(site.database, f"{NAME}.tmp"), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, MIB)
    assert Reserve(site).free()
    assert os.listdir(site.database) == []


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("Error writing to the AOF file: No space left on device\nCan't recover. Exiting...\n", True),
        ("Error writing to the AOF file: Disk quota exceeded\n", True),
        ("Ready to accept connections unix\n", False),
        ("No space left on device\n" + "Ready to accept connections unix\n" * 1000, False),
        ("", False),
    ],
)
def test_the_last_words_of_jcdbs(tmp_path, text, full):
    path = tmp_path / "jcdbs.log"
    path.write_text(text)
    assert says_full(str(path)) is full


def test_no_last_words(tmp_path):
    assert not says_full(str(tmp_path / "jcdbs.log"))
