"""Each service reads its own settings from the environment or from files, and tells every fault by the variable's name."""

import os
from pathlib import Path

import pytest

from millpond import settings
from millpond.errors import BadSetting
from millpond.settings import ApiSettings, CollectorSettings, StoreSettings, WorkerSettings, read


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)


def faults(cls: type[settings.Settings]) -> list[str]:
    with pytest.raises(BadSetting) as caught:
        read(cls)
    return caught.value.detail.splitlines()


def test_nothing_is_needed() -> None:
    api, worker, collector, store = read(ApiSettings), read(WorkerSettings), read(CollectorSettings), read(StoreSettings)
    assert (api.port, api.durability, api.classic, api.idempotency_h) == (8888, "always", False, 24)
    assert (worker.tasks, worker.queues, worker.concurrency, worker.prefetch) == ((), ("default",), 20, -1)
    assert (collector.batch, collector.failed_keep, collector.forget_grace_s) == (500, 1000, 60)
    assert store.database_url == "sqlite:///millpond.db"


def test_values(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"TASKS": "pictures, shop.orders,", "QUEUES": "high,low", "LOG_LEVEL": "DEBUG", "GRACE_S": "0.5", "CLASSIC": "on", "PORT": "1"}
    for name, value in given.items():
        monkeypatch.setenv(settings.PREFIX + name, value)
    worker = read(WorkerSettings)
    assert (worker.tasks, worker.queues, worker.log_level, worker.grace_s) == (("pictures", "shop.orders"), ("high", "low"), "debug", 0.5)
    assert read(ApiSettings).classic is True
    monkeypatch.setenv("MILLPOND_CLASSIC", "off")
    assert read(ApiSettings).classic is False


def test_a_value_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("postgresql://me:pass@db/jobs\n")
    monkeypatch.setenv("MILLPOND_DATABASE_URL_FILE", str(tmp_path / "secret"))
    assert read(CollectorSettings).database_url == "postgresql://me:pass@db/jobs"
    monkeypatch.setenv("MILLPOND_DATABASE_URL", "sqlite:///a.db")
    assert faults(CollectorSettings) == ["MILLPOND_DATABASE_URL: given twice, also as MILLPOND_DATABASE_URL_FILE"]


def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLPOND_REDIS_URL_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("MILLPOND_PORT", "0")
    first, second = sorted(faults(ApiSettings))
    assert first.startswith("MILLPOND_PORT: ")
    assert second.startswith("MILLPOND_REDIS_URL_FILE: cannot be read: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PORT", "tcp://10.0.0.1:8888"),
        ("DURABILITY", "sometimes"),
        ("REDIS_URL", "http://redis"),
        ("REDIS_URL", "redis://host:port/0"),
        ("DATABASE_URL", "mysql://db"),
        ("CLASSIC", "maybe"),
        ("IDEMPOTENCY_H", "0"),
        ("MAX_BODY_BYTES", "1e6"),
        ("HEADER_TIMEOUT_S", "nan"),
        ("LOG_LEVEL", "loud"),
        ("FAILPOINT", "here:explode"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(settings.PREFIX + name, value)
    (said,) = faults(ApiSettings)
    assert said.startswith(f"MILLPOND_{name}: ")
    assert name.endswith("_URL") or value in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUEUES", ""),
        ("QUEUES", "Upper"),
        ("QUEUES", "a,b,a"),
        ("TASKS", "my-tasks"),
        ("TASKS", "a..b"),
        ("POOL", "fork"),
        ("CONCURRENCY", "0"),
    ],
)
def test_a_workers_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(settings.PREFIX + name, value)
    (said,) = faults(WorkerSettings)
    assert said.startswith(f"MILLPOND_{name}: ")


def test_passwords_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLPOND_REDIS_URL", "redi://me:hunter2@redis")
    assert "hunter2" not in "".join(faults(ApiSettings))
    monkeypatch.setenv("MILLPOND_REDIS_URL", "redis://me:hunter2@redis/0")
    monkeypatch.setenv("MILLPOND_DATABASE_URL", "postgresql://db/jobs")
    api = read(ApiSettings)
    assert "hunter2" not in repr(api)
    shown = settings.shown(api)
    assert (shown["redis_url"], shown["database_url"], shown["classic"]) == ("redis://me:***@redis/0", "postgresql://db/jobs", "off")


def test_all_faults_are_told_and_the_process_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("PORT", "DURABILITY", "TYPO"):
        monkeypatch.setenv(settings.PREFIX + name, "wrong")
    with pytest.raises(SystemExit) as caught:
        settings.load(ApiSettings)
    assert caught.value.code == 2
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "MILLPOND_TYPO",
        "MILLPOND_PORT",
        "MILLPOND_DURABILITY",
    ]


def test_other_services_settings_are_no_fault_and_typos_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLPOND_CONCURRENCY", "not even read")
    monkeypatch.setenv("MILLPOND_QUEUES_FILE", "/not/read")
    monkeypatch.setenv("MILLPOND_API_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("MILLPOND_API_PORT_8888_TCP_ADDR", "10.0.0.1")
    assert read(ApiSettings).port == 8888
    monkeypatch.setenv("MILLPOND_CONCURENCY", "20")
    assert faults(ApiSettings) == ["MILLPOND_CONCURENCY: there is no such setting"]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(ApiSettings).port = 1  # type: ignore[misc]


def test_described_for_docs() -> None:
    described = {one.name: one for one in settings.describe()}
    fields = {name for cls in settings.SERVICES.values() for name in cls.model_fields}
    assert described.keys() == {settings.PREFIX + name.upper() for name in fields}
    assert all(one.meaning.endswith(".") for one in described.values())
    port, queues, redis_url = (described[f"MILLPOND_{name}"] for name in ("PORT", "QUEUES", "REDIS_URL"))
    assert (port.values, port.default, port.services) == ("integer, >= 1, <= 65535", "8888", ("api",))
    assert (queues.values, queues.default) == ("words, comma separated", "default")
    assert redis_url.services == ("api", "worker", "collector")
