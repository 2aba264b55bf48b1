"""A fail-point strikes where, when and as often as it was told, and nowhere else."""

import signal
import subprocess
import sys

import pytest

from millpond import failpoint
from millpond.errors import BadSetting

_SCRIPT = """
import sys
from millpond import failpoint
failpoint.configure(sys.argv[1])
for name in ("other", "here", "here", "here"):
    failpoint.hit(name)
    print(name, flush=True)
"""


def run(setting: str) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, "-c", _SCRIPT, setting], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout.split()


def test_none_is_armed() -> None:
    assert run("") == (0, ["other", "here", "here", "here"])


def test_kill() -> None:
    assert run("here:kill") == (-signal.SIGKILL, ["other"])


def test_kill_at_the_third_time() -> None:
    assert run("here:kill:3") == (-signal.SIGKILL, ["other", "here", "here"])


def test_pause_until_continued() -> None:
    with subprocess.Popen([sys.executable, "-c", _SCRIPT, "here:pause:2"], stdout=subprocess.PIPE, text=True) as process:
        import os

        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout is not None
        assert process.stdout.read().split() == ["other", "here", "here", "here"]


@pytest.mark.parametrize("setting", ["here", "here:", ":kill", "here:explode", "here:kill:", "here:kill:0", "here:kill:-1", "here:kill:x"])
def test_refuses_what_it_does_not_understand(setting: str) -> None:
    with pytest.raises(BadSetting, match="fail-point"):
        failpoint.configure(setting)
