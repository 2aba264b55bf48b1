"""``python -m collector``: the recorder in the main thread, the keeper in another. SIGTERM ends both after the batch in hand."""

import signal
import sys
from threading import Event, Thread

from collector.keeper import Keeper
from collector.pulse import Pulse
from collector.recorder import Recorder
from millpond import broker, failpoint, logs, metrics
from millpond.errors import BadSetting
from millpond.settings import CollectorSettings, load
from millpond.store import open_store

log = logs.get("collector")


def main(words: list[str]) -> int:
    """Run until a signal; answers the exit status."""
    if words:
        print("usage: python -m collector (settings: MILLPOND_* variables, docs/settings.md)", file=sys.stderr)
        return 2
    settings = load(CollectorSettings)
    logs.configure("collector", settings.log_level)
    failpoint.configure(settings.failpoint)
    try:
        run(settings, stopped_by_signals())
    except BadSetting as error:
        print(error.detail, file=sys.stderr)
        return 2
    except Exception:
        log.exception("collector_failed")
        return 1
    return 0


def run(settings: CollectorSettings, stop: Event) -> None:
    """Record and keep until `stop`."""
    metrics.serve("collector", settings.metrics_port)
    store = open_store(settings.database_url)
    pulse = Pulse(settings.health_file, "recorder", "keeper")
    keeper = Keeper(settings, broker.connect(settings.redis_url), pulse)
    keeping = Thread(target=keeper.run, args=(stop,), name="keeper", daemon=True)
    keeping.start()
    Recorder(settings, broker.connect(settings.redis_url), store, pulse).run(stop)
    keeping.join(timeout=2.0)
    store.close()


def stopped_by_signals() -> Event:
    """An event that SIGTERM and SIGINT set; a thread of its own waits for them, because a handler in the main thread could find
    the event's lock held by the very code that it interrupted."""
    stop = Event()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        signal.sigwait(signals)
        stop.set()

    Thread(target=wait, name="signals", daemon=True).start()
    return stop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
