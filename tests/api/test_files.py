"""Connections are as many as the limit of open files leaves."""

import resource
from collections.abc import Iterator

import pytest

from api import files


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_soft_limit_is_raised_for_what_is_wanted_and_no_further() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert files.room(100) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (512, hard)
    assert files.room(1000) == 1000
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 1000 < soft <= 1500


def test_the_hard_limit_bounds_what_is_wanted() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        assert files.room(1 << 30) == 1 << 30
    else:
        assert files.room(hard * 2) < hard
