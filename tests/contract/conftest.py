"""The Store's suite: every test runs on every backend that this machine has."""

import pytest

from support import backends
from support.store_bench import StoreBench


@pytest.fixture(scope="session", params=backends.available())
def backend(request):
    """A function that gives a new connection to one backend's server."""
    with backends.serve(request.param) as connect:
        yield connect


@pytest.fixture
def bench(backend):
    """A new site; when the test is over, the rules that always hold are checked."""
    backends.clear(backend())
    made = StoreBench(backend)
    yield made
    made.check()
