"""A retry policy comes back from the fields that it wrote, and its delays grow within their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.errors import Undecodable
from millpond.retry import RetryPolicy

POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 1000),
    backoff_s=st.integers(0, 10**7).map(lambda ms: ms / 1000),
    backoff_factor=st.floats(1, 1000),
    max_backoff_s=st.integers(0, 10**9).map(lambda ms: ms / 1000),
    jitter=st.floats(0, 1),
)


@given(POLICIES)
def test_round_trip(policy: RetryPolicy) -> None:
    hash = {name: str(value).encode() for name, value in policy.to_fields().items()}
    assert RetryPolicy.from_hash(hash) == policy


def test_what_is_usual_is_not_stored() -> None:
    assert RetryPolicy().to_fields() == {}
    assert RetryPolicy.from_hash({}) == RetryPolicy()
    assert RetryPolicy(max_attempts=3).to_fields() == {"max_attempts": 3}


def test_a_policy_that_is_none() -> None:
    with pytest.raises(Undecodable, match="jitter"):
        RetryPolicy.from_hash({"jitter": b"much"})


def test_delays_double_up_to_the_most() -> None:
    policy = RetryPolicy(backoff_s=1, backoff_factor=2, max_backoff_s=5)
    assert [policy.delay_s(failures, chance=0.5) for failures in (1, 2, 3, 4, 50)] == [1, 2, 4, 5, 5]


@given(POLICIES, st.integers(1, 10_000), st.floats(0, 1))
def test_delays_stay_in_bounds(policy: RetryPolicy, failures: int, chance: float) -> None:
    delay = policy.delay_s(failures, chance)
    assert 0 <= delay <= policy.max_backoff_s * (1 + policy.jitter) * 1.000001
