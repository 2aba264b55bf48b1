"""Each metric is declared once, described, and exposed by its own service alone."""

import re
import socket

import pytest

from millpond import metrics
from millpond.metrics import DECLARED, Service
from tests.processes import free_port


def test_names_and_meanings() -> None:
    assert len({(one.service, one.name) for one in DECLARED}) == len(DECLARED)
    for one in DECLARED:
        assert re.fullmatch(r"millpond_[a-z][a-z_]*[a-z]", one.name)
        assert one.meaning.endswith(".")
        assert (one.kind == "counter") == one.name.endswith("_total")
        assert all(re.fullmatch(r"[a-z_]+", label) for label in one.labels)


@pytest.mark.parametrize("service", list(metrics.REGISTRIES))
def test_a_service_exposes_its_own(service: Service) -> None:
    text = metrics.expose(service).decode()
    exposed = set(re.findall(r"^# TYPE (millpond_\w+)", text, re.MULTILINE)) - set(re.findall(r"^# TYPE (\w+_created)", text, re.MULTILINE))
    assert exposed == {one.name for one in DECLARED if one.service == service}
    assert "process_resident_memory_bytes" in text


def test_who_connects_and_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(metrics, "_SILENT_S", 0.1)
    port = free_port()
    metrics.serve("collector", port)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        assert silent.recv(1) == b""
    assert capfd.readouterr().err == ""
