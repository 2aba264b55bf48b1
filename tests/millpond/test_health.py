"""The health check's verdict on files and URLs."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from millpond import health
from tests.processes import free_port


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.end_headers()
        self.wfile.write(b"draining")

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_well_if_it_answers_2xx(url: str) -> None:
    assert health.fault(url + "/well") == ""
    assert health.fault(url + "/ill") == f"{url}/ill answered 503: draining"


def test_a_url_where_nobody_listens_is_ill() -> None:
    assert "refused" in health.fault(f"http://127.0.0.1:{free_port()}/")


def test_a_file_is_well_while_it_is_young(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    assert "No such file" in health.fault(str(pulse))
    pulse.touch()
    assert health.fault(str(pulse), 5) == ""
    os.utime(pulse, (0, 0))
    assert "last touched" in health.fault(str(pulse), 5)


def test_the_command_answers_by_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main([str(tmp_path / "none"), "3"]) == 1
    assert "none" in capsys.readouterr().err
    assert health.main([str(tmp_path)]) == 0
    assert health.main([]) == 2
