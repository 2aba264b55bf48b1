"""``python -m collector``: the recorder in the main thread, the keeper in another. SIGTERM ends both after the batch in hand."""

import signal
import sys
from threading import Event, Thread
from typing import Any

from collector.keeper import Keeper
from collector.pulse import Pulse
from collector.recorder import Recorder
from millpond import broker, failpoint, logs
from millpond.errors import BadSetting
from millpond.settings import CollectorSettings, load
from millpond.store import open_store


def main() -> int:
    """Run until a signal; answers the exit status."""
    settings = load(CollectorSettings)
    logs.configure("collector", settings.log_level)
    failpoint.configure(settings.failpoint)
    try:
        store = open_store(settings.database_url)
    except BadSetting as error:
        print(error.detail, file=sys.stderr)
        return 2
    stop = Event()

    def end(_signal: int, _frame: Any) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    pulse = Pulse(settings.health_file, "recorder", "keeper")
    keeper = Keeper(settings, broker.connect(settings.redis_url), pulse)
    thread = Thread(target=keeper.run, args=(stop,), name="keeper", daemon=True)
    thread.start()
    Recorder(settings, broker.connect(settings.redis_url), store, pulse).run(stop)
    thread.join(timeout=2.0)
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
