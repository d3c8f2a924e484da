"""Delivery of output by a shepherd: with its owner's rights and no other, and never half."""

import contextlib
import os
import select
import threading

import pytest

from support.slots import LIMIT_S, OTHER_UID, Slots, mode, read
from support.waiting import wait_until

GIB = 1 << 30
NAME = "job.o1"


@pytest.fixture
def slots():
    with Slots() as made:
        yield made


@pytest.fixture
def shepherd(slots):
    return slots.shepherd()


@pytest.fixture
def place(slots):
    """A directory of the owner."""
    return slots.make_directory("place", 0o755)


def test_output_comes_where_it_is_wanted(slots, shepherd, place):
    out, err = slots.spooled(b"result\n"), slots.spooled(b"", "200-1.a1.e3.err")
    files = [(out, f"{place}/{NAME}", NAME), (err, f"{place}/job.e1", "job.e1")]
    assert shepherd.bring(slots.deliver_spec(*files)) == ""
    assert (read(f"{place}/{NAME}"), read(f"{place}/job.e1")) == (b"result\n", b"")
    assert sorted(os.listdir(place)) == ["job.e1", NAME]
    assert os.stat(f"{place}/{NAME}").st_uid == slots.uid
    assert mode(f"{place}/{NAME}") == 0o640  # 0666 less the umask 027 of the submission
    assert os.path.exists(out), "only the worker knows when the spooled copy is not needed any more"


def test_delivery_twice_gives_the_same(slots, shepherd, place):
    spec = slots.deliver_spec((slots.spooled(b"result\n"), f"{place}/{NAME}", NAME))
    assert [shepherd.bring(spec), shepherd.bring(spec)] == ["", ""]
    assert os.listdir(place) == [NAME]


def test_part_that_a_killed_delivery_left_is_replaced(slots, shepherd, place):
    slots.make_file(f"{place}/.200-1.a1.e3.out", b"half")
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"whole"), f"{place}/{NAME}", NAME))) == ""
    assert os.listdir(place) == [NAME]
    assert read(f"{place}/{NAME}") == b"whole"


@pytest.mark.parametrize("ending", ["", "/"])
def test_directory_gets_a_file_in_it(slots, shepherd, place, ending):
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), place + ending, NAME))) == ""
    assert read(f"{place}/{NAME}") == b"result\n"


# --- links and other people's files


def test_symbolic_link_is_replaced_and_not_followed(slots, shepherd, place):
    precious = slots.make_file(slots.path("precious"), b"precious")
    os.symlink(precious, f"{place}/{NAME}")
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{place}/{NAME}", NAME))) == ""
    assert read(precious) == b"precious"
    assert not os.path.islink(f"{place}/{NAME}")
    assert read(f"{place}/{NAME}") == b"result\n"


@pytest.mark.parametrize("kind", ["directory", "device", "nothing"])
def test_symbolic_link_to_something_else_is_replaced_too(slots, shepherd, place, kind):
    elsewhere = slots.make_directory("elsewhere", 0o755)
    os.symlink({"directory": elsewhere, "device": "/dev/null", "nothing": "/no/such"}[kind], f"{place}/{NAME}")
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{place}/{NAME}", NAME))) == ""
    assert (os.path.islink(f"{place}/{NAME}"), os.listdir(elsewhere)) == (False, [])
    assert read(f"{place}/{NAME}") == b"result\n"


@pytest.mark.root
@pytest.mark.parametrize("owner", [0, OTHER_UID])
def test_symbolic_link_to_a_file_of_another(slots, shepherd, place, owner):
    victim = slots.path("victim")
    with open(victim, "wb") as file:
        file.write(b"precious")
    os.chown(victim, owner, owner)
    os.chmod(victim, 0o600)
    os.symlink(victim, f"{place}/{NAME}")
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{place}/{NAME}", NAME))) == ""
    assert (read(victim), mode(victim), os.stat(victim).st_uid) == (b"precious", 0o600, owner)


@pytest.mark.root
def test_link_that_another_planted_in_a_sticky_directory(slots, shepherd):
    shared = slots.make_directory("shared", 0o1777)
    os.chown(shared, 0, 0)
    precious = slots.make_file(slots.path("precious"), b"precious")
    os.symlink(precious, f"{shared}/{NAME}")
    os.lchown(f"{shared}/{NAME}", OTHER_UID, OTHER_UID)
    note = shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{shared}/{NAME}", NAME)))
    assert note == f"{shared}/{NAME}: Operation not permitted; delivered to {slots.home}/{NAME}"
    assert (read(precious), os.listdir(shared)) == (b"precious", [NAME])


@pytest.mark.root
def test_temporary_name_that_another_took_in_a_sticky_directory(slots, shepherd):
    shared = slots.make_directory("shared", 0o1777)
    os.chown(shared, 0, 0)
    taken = f"{shared}/.200-1.a1.e3.out"
    os.symlink("/etc/passwd", taken)
    os.lchown(taken, OTHER_UID, OTHER_UID)
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{shared}/{NAME}", NAME))) == ""
    assert read(f"{shared}/{NAME}") == b"result\n"
    assert sorted(os.listdir(shared)) == [os.path.basename(taken), NAME]


@pytest.mark.root
def test_directory_that_is_not_the_owners(slots, shepherd):
    closed = slots.path("closed")
    os.mkdir(closed, 0o755)
    note = shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{closed}/{NAME}", NAME)))
    assert note == f"{closed}/{NAME}: Permission denied; delivered to {slots.home}/{NAME}"
    assert os.listdir(closed) == []


@pytest.mark.root
def test_spooled_file_of_another_is_not_delivered(slots, shepherd, place):
    path = slots.spooled(b"secret")
    os.chown(path, OTHER_UID, OTHER_UID)
    note = shepherd.bring(slots.deliver_spec((path, f"{place}/{NAME}", NAME)))
    assert note == f"{NAME} stays on the site: {path} is not a plain file of uid {slots.uid}"
    assert os.listdir(place) == []


@pytest.mark.parametrize("kind", ["symbolic link", "FIFO", "missing"])
def test_spooled_name_that_is_no_output_file(slots, shepherd, place, kind):
    secret = slots.make_file(slots.path("secret"), b"secret")
    path = os.path.join(slots.spool, "200-1.a1.e3.out")
    if kind == "symbolic link":
        os.symlink(secret, path)
    elif kind == "FIFO":
        os.mkfifo(path)
    note = shepherd.bring(slots.deliver_spec((path, f"{place}/{NAME}", NAME)))
    assert note.startswith(f"{NAME} stays on the site: {path}")
    assert os.listdir(place) + os.listdir(slots.home) == []


def test_same_file_system_needs_no_copy(slots, shepherd, place):
    path = slots.spooled(b"result\n")
    assert shepherd.bring(slots.deliver_spec((path, f"{place}/{NAME}", NAME))) == ""
    assert os.stat(f"{place}/{NAME}").st_ino == os.stat(path).st_ino
    assert mode(f"{place}/{NAME}") == 0o640


def test_delivered_a_second_time_it_is_a_file_of_its_own(slots, shepherd, place):
    path = slots.spooled(b"result\n")
    spec = slots.deliver_spec((path, f"{place}/{NAME}", NAME))
    assert [shepherd.bring(spec), shepherd.bring(spec)] == ["", ""]
    assert os.stat(f"{place}/{NAME}").st_ino != os.stat(path).st_ino
    assert read(f"{place}/{NAME}") == b"result\n"


@pytest.mark.root
def test_directory_whose_group_new_files_get(slots, shepherd, place):
    os.chown(place, slots.uid, OTHER_UID)
    os.chmod(place, 0o2775)
    assert shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{place}/{NAME}", NAME))) == ""
    assert os.stat(f"{place}/{NAME}").st_gid == OTHER_UID


# --- other destinations


def test_dev_null(slots, shepherd):
    before = os.stat("/dev/null")
    path = slots.spooled(b"x" * 200_000)
    assert shepherd.bring(slots.deliver_spec((path, "/dev/null", NAME))) == ""
    after = os.stat("/dev/null")
    assert (after.st_ino, after.st_rdev, after.st_mode) == (before.st_ino, before.st_rdev, before.st_mode)
    assert os.listdir(slots.home) == []


def test_device_that_is_full(slots, shepherd):
    note = shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), "/dev/full", NAME)))
    assert note == f"/dev/full: No space left on device; delivered to {slots.home}/{NAME}"


def test_fifo_with_a_reader(slots, shepherd, place):
    fifo, data = f"{place}/fifo", b"0123456789" * 50_000
    os.mkfifo(fifo)
    slots.give(fifo)
    got = []
    reader_fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader_fd, True)
    path = slots.spooled(data)
    shepherd.deliver(slots.deliver_spec((path, fifo, NAME)))

    def drain():
        while len(b"".join(got)) < len(data):
            got.append(os.read(reader_fd, 65536))

    # A reader that opened first sees an end of file until the writer is there.
    assert select.select([reader_fd], [], [], LIMIT_S)[0]
    reader = threading.Thread(target=drain)
    reader.start()
    assert shepherd.hear() == ("delivered", "")
    reader.join(LIMIT_S)
    os.close(reader_fd)
    assert b"".join(got) == data


def test_fifo_without_a_reader(slots, shepherd, place):
    os.mkfifo(f"{place}/fifo")
    slots.give(f"{place}/fifo")
    note = shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"{place}/fifo", NAME)))
    assert note == f"{place}/fifo: No such device or address; delivered to {slots.home}/{NAME}"
    assert read(f"{slots.home}/{NAME}") == b"result\n"


def test_missing_directory(slots, shepherd):
    note = shepherd.bring(slots.deliver_spec((slots.spooled(b"result\n"), f"/no/such/{NAME}", NAME)))
    assert note == f"/no/such/{NAME}: No such file or directory; delivered to {slots.home}/{NAME}"
    assert read(f"{slots.home}/{NAME}") == b"result\n"


def test_nowhere_to_go(slots, shepherd):
    path = slots.spooled(b"result\n")
    note = shepherd.bring(slots.deliver_spec((path, f"/no/such/{NAME}", NAME), home="/nor/this"))
    assert note == (
        f"/no/such/{NAME}: No such file or directory; /nor/this/{NAME}: No such file or directory; "
        f"stays on the site as {path}"
    )
    assert read(path) == b"result\n"


def test_one_file_that_fails_does_not_hold_the_other(slots, shepherd, place):
    files = [
        (slots.spooled(b"1", "200-1.a1.e3.out"), f"/no/such/{NAME}", NAME),
        (slots.spooled(b"2", "200-1.a1.e3.err"), f"{place}/job.e1", "job.e1"),
    ]
    note = shepherd.bring(slots.deliver_spec(*files))
    assert note.count("delivered to") == 1
    assert (read(f"{slots.home}/{NAME}"), read(f"{place}/job.e1")) == (b"1", b"2")


# --- size


def test_gigabyte_of_holes_in_bounded_memory(slots, shepherd, place):
    script = f'printf head; truncate -s {GIB - 4} "$OUT"; printf tail\n'
    spec = slots.run_spec(script)
    spec["env"]["OUT"] = spec["out"]
    assert shepherd.finish(spec)["exit_code"] == 0
    assert shepherd.bring(slots.deliver_spec((spec["out"], f"{place}/{NAME}", NAME))) == ""
    delivered = os.stat(f"{place}/{NAME}")
    assert delivered.st_size == GIB
    assert delivered.st_blocks * 512 < GIB / 100, "holes were filled"
    with open(f"{place}/{NAME}", "rb") as file:
        assert file.read(5) == b"head\0"
        file.seek(GIB - 5)
        assert file.read() == b"\0tail"
    assert peak_kb(shepherd.pid) < 40_000


def test_data_without_holes_in_bounded_memory(slots, shepherd, place):
    spec = slots.run_spec("yes 0123456789abcde | head -c 150000000\n")
    assert shepherd.finish(spec)["exit_code"] == 0
    assert shepherd.bring(slots.deliver_spec((spec["out"], f"{place}/{NAME}", NAME))) == ""
    assert os.stat(f"{place}/{NAME}").st_size == 150_000_000
    assert peak_kb(shepherd.pid) < 40_000
    with open(f"{place}/{NAME}", "rb") as file:
        file.seek(16 * 5_000_000)
        assert file.read(16) == b"0123456789abcde\n"


def test_stop_gives_up_a_delivery_and_leaves_no_part(slots, shepherd, place):
    """A FIFO that nobody reads on is the longest delivery there is."""
    fifo = f"{place}/fifo"
    os.mkfifo(fifo)
    slots.give(fifo)
    reader_fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.closing(os.fdopen(reader_fd, "rb")):
        shepherd.deliver(slots.deliver_spec((slots.spooled(b"x" * 500_000, "200-9.a1.e3.out"), fifo, NAME)))
        wait_until(lambda: select.select([reader_fd], [], [], 0)[0], LIMIT_S, lambda: "nothing in the FIFO")
        shepherd.stop(0)
        assert shepherd.hear() == ("stopped",)
    assert os.listdir(slots.home) == []
    assert shepherd.finish(slots.run_spec("exit 3\n"))["exit_code"] == 3


def peak_kb(pid):
    """The most memory that a process ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
