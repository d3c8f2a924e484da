"""Fixtures of the tests of cluster software."""

import pytest

from support.agents import make_bench


@pytest.fixture(scope="module")
def module_bench():
    """One `Bench` for a file."""
    yield from make_bench()


@pytest.fixture
def bench(module_bench):
    """The `Bench`, with both sites stopped before and after the test."""
    yield module_bench
    module_bench.stop()
