"""Prefer to the letter of RFC 7240."""

import time

import pytest

from api.prefer import Preferences, read

NOTHING = Preferences()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", NOTHING),
        ("wait=10", Preferences(10)),
        ("WAIT = 10", Preferences(10)),
        ('wait="10"', Preferences(10)),
        ('wait="1\\0"', Preferences(10)),
        ("wait=0", Preferences(0)),
        ("wait=600", Preferences(60)),
        ("wait=" + "9" * 5000, Preferences(60)),
        ("wait", Preferences(60)),
        ('wait=""', Preferences(60)),
        ("respond-async, wait=10", Preferences(10, True)),
        ("wait=10,,, Respond-Async ,", Preferences(10, True)),
        ("respond-async; for=ever; x", Preferences(None, True)),
        ('wait=5; note="a, wait=9; b"', Preferences(5)),
        ('note="wait=9, \\", wait=8", wait=7', Preferences(7)),
        ('return=minimal; foo="some parameter", handling=lenient', NOTHING),
        ("wait=1, wait=2", Preferences(1)),
        ("wait=soon, wait=2", NOTHING),
        ("wait=-1", NOTHING),
        ("wait=1.5", NOTHING),
        ("wait=\u0661", NOTHING),
        ("wait=1 0", NOTHING),
        ("(odd), wait=3", Preferences(3)),
        ('wait=3, "open', Preferences(3)),
        ("respond-async=yes", NOTHING),
    ],
)
def test_what_is_understood(header: str, expected: Preferences) -> None:
    assert read(header) == expected


def test_what_was_done_is_said() -> None:
    both = Preferences(10, True)
    assert both.applied(accepted=True, waited=True) == "respond-async, wait=10"
    assert both.applied(accepted=False, waited=True) == "wait=10"
    assert both.applied(accepted=True, waited=False) == "respond-async"
    assert Preferences(0).applied(accepted=True, waited=True) == "wait=0"
    assert NOTHING.applied(accepted=True, waited=True) == ""


@pytest.mark.parametrize("piece", ['"\\', '"', ";", "; ", "=", "a=", " ", ",", 'x="', "\\"])
def test_no_header_takes_long_to_read(piece: str) -> None:
    begun = time.process_time()
    read("wait=" + piece * 16_000)
    assert time.process_time() - begun < 1
