"""The database as a whole: made once, of one schema, and with keys that Python and Lua spell alike."""

import re

import pytest

from jcq.jcdbs import keys, scripts
from jcq.jcdbs.errors import BadValue, SchemaNewer
from jcq.jcdbs.store import Store
from support import backends, skips
from support.store_bench import NOW_S, WORKER


def test_the_suite_runs_on_a_redis_server_of_the_system_too():
    """One skip for all tests of this directory, where there is none."""
    if "redis-server" not in backends.available():
        pytest.skip(skips.NEEDS_REDIS)


def test_a_site_is_made_once(bench):
    before = backends.all_data(bench.connection)
    with pytest.raises(BadValue, match="holds a site already"):
        bench.run(bench.store.create_site(backends.IDENTITY))
    assert backends.all_data(bench.connection) == before


def test_a_newer_schema_is_refused_and_left_alone(bench):
    bench.connection.hset(keys.SITE, "schema", keys.SCHEMA_VERSION + 1)
    before = backends.all_data(bench.connection)
    with pytest.raises(SchemaNewer) as caught:
        bench.run(Store(bench.connect(), 2).open_epoch())
    assert caught.value.exit_code == 5
    assert backends.all_data(bench.connection) == before


def test_lua_uses_the_keys_that_python_names(bench):
    """Every name below `jcq:` that stands in a script is one of `jcq.jcdbs.keys`."""
    known = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    known |= {keys.queue(""), keys.request(""), keys.promoted(""), keys.members("", "")[:-1], keys.lost("")}
    known |= {keys.complex_of(""), keys.mine("", "")[:-1], keys.uids(""), keys.used(""), keys.next_users("")}
    known |= {keys.staged(name) for name in ("", *keys.STAGED)}
    spelled = {name for _, text in scripts.load().values() for name in re.findall(r"'(jcq:[a-z:]*)'", text)}
    assert spelled == {name for name in known if name.startswith("jcq:")}


def test_every_key_that_a_life_leaves_is_known(bench):
    bench.worker()
    bench.submit(due_s=NOW_S + 1)
    bench.submit(hold=True)
    bench.run_through(bench.submit())
    patterns = (
        rf"jcq:(site|epoch|managers|queues|waiting|done|slots|kills|worker|rqjob)|jcq:(queue|request|promoted):[\w-]+"
        rf"|jcq:in:\w+:[A-Z]+|rq:queues|rq:(queue|job|results|finished|failed|wip):[\w-]+|rq:worker:{WORKER}(:executions)?"
    )
    for key in backends.all_data(bench.connection):
        assert re.fullmatch(patterns, key.decode()), key


def test_no_script_leaves_a_global_variable_or_calls_what_servers_lack():
    """fakeredis breaks on a global, servers on one another's extensions (design section 10)."""
    for name, (_, text) in scripts.load().items():
        code = re.sub(r"--.*", "", text)
        assert not re.search(r"\b(cmsgpack|bit|struct|sha1hex|error)\b\s*[.(]", code.replace("error_reply", "")), name
