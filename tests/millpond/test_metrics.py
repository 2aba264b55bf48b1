"""Each metric is declared once, described, and exposed by its own service alone."""

import re

import pytest

from millpond import metrics
from millpond.metrics import DECLARED, Service


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
