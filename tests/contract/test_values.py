"""One field of many requests: what qstat reads to find whose they are."""


def test_each_in_its_place_and_empty_where_there_is_none(bench):
    first = bench.submit(name="caf\udce9")
    second = bench.submit(uid=1002, user="bob", name="b")
    rids = [second, "200-999", first]
    assert bench.run(bench.store.values(rids, "uid")) == ["1002", "", str(bench.get(first).uid)]
    assert bench.run(bench.store.values(rids, "name")) == ["b", "", "caf\udce9"]
    assert bench.run(bench.store.values(rids, "outcome")) == ["", "", ""]
    assert bench.run(bench.store.values([], "uid")) == []
    assert bench.run(bench.store.values([first] * 3000, "user")) == [bench.get(first).user] * 3000
