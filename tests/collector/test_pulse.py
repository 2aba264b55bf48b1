"""The health file is fresh only while all loops turn."""

from pathlib import Path

import pytest

from collector import pulse as pulses
from collector.pulse import Pulse


def test_the_file_is_touched_once_all_loops_have_beaten(tmp_path: Path) -> None:
    file = tmp_path / "health"
    pulse = Pulse(str(file), "recorder", "keeper")
    pulse.beat("recorder")
    assert not file.exists()
    pulse.beat("keeper")
    assert file.exists()


def test_a_loop_that_stopped_leaves_the_file_to_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "health"
    pulse = Pulse(str(file), "recorder", "keeper")
    now = 100.0
    monkeypatch.setattr(pulses, "monotonic", lambda: now)
    pulse.beat("recorder")
    pulse.beat("keeper")
    file.unlink()
    now += pulses.FRESH_S + 1
    pulse.beat("keeper")
    assert not file.exists()
    pulse.beat("recorder")
    assert file.exists()


def test_without_a_file_nothing_is_touched() -> None:
    pulse = Pulse("", "recorder")
    pulse.beat("recorder")
