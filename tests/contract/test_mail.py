"""Which mails the site database notes, each once, and how they are forgotten."""

from jcq.model.lifecycle import DELETED, EXITED, REJECTED
from support.store_bench import ALICE, NOW_S


def noted(bench):
    return [(rid, event) for rid, event, when_s, _ in bench.run(bench.store.mail()) if when_s == NOW_S]


def test_begin_and_end_once_each(bench):
    bench.worker()
    rid = bench.submit(mail_begin=True, mail_end=True)
    (claimed,) = bench.claim()
    for _ in range(2):
        bench.run(bench.store.begin(claimed, 42, 99, NOW_S))
    bench.finish(claimed)
    bench.finish(claimed)
    assert noted(bench) == [(rid, "begun")]
    bench.deliver(claimed)
    bench.deliver(claimed)
    assert noted(bench) == [(rid, "begun"), (rid, EXITED)]


def test_one_that_ends_before_its_begin_was_told(bench):
    bench.worker()
    rid = bench.submit(mail_begin=True)
    (claimed,) = bench.claim()
    bench.deliver(bench.finish(claimed))
    assert noted(bench) == [(rid, "begun")]


def test_who_wants_none_gets_none_but_of_what_was_done_to_it(bench):
    bench.worker()
    bench.run_through(bench.submit())
    bench.run(bench.store.delete(bench.submit(hold=True), ALICE, NOW_S))
    assert noted(bench) == []
    bench.run(bench.store.delete(wanted := bench.submit(hold=True, mail_end=True), ALICE, NOW_S))
    rejected = bench.submit(bench.pipe("nowhere"))
    assert noted(bench) == [(wanted, DELETED), (rejected, REJECTED)]


def test_what_was_handed_over_is_forgotten_and_nothing_else(bench):
    for _ in range(3):
        bench.run(bench.store.delete(bench.submit(hold=True, mail_end=True), ALICE, NOW_S))
    entries = [entry for *_, entry in bench.run(bench.store.mail())]
    op = bench.store.mailed(2, entries[0], NOW_S)
    for _ in range(2):
        bench.run(op)
        assert [entry for *_, entry in bench.run(bench.store.mail())] == entries[2:]


def test_the_sum_of_a_request_without_mail_is_as_before(bench):
    assert bench.new().checksum() != bench.new().checksum()  # another number
    one = bench.new()
    before = one.checksum()
    one.mail_end = True
    assert one.checksum() != before
