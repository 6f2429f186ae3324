"""One BLAS thread inside, as it was afterwards, and left alone by whoever says so."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from refimpl.threads import SETTINGS, SMALL, as_it_is, one_thread, one_thread_if_small


def threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(2, user_api="blas"):
        yield


def test_one_inside_and_as_it_was_afterwards():
    before = threads()
    with one_thread():
        assert set(threads()) == {1}
    assert threads() == before
    with pytest.raises(KeyError), one_thread_if_small(1):
        raise KeyError
    assert threads() == before


def test_large_products_keep_their_threads():
    before = threads()
    with one_thread_if_small(SMALL):
        assert threads() == before
    with one_thread_if_small(SMALL - 1):
        assert set(threads()) == {1}


def test_the_environment_and_the_caller_may_say_otherwise(monkeypatch):
    before = threads()
    with as_it_is(), one_thread_if_small(1):
        assert threads() == before
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with one_thread_if_small(1):
        assert threads() == before
