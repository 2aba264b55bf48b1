"""The import rule: the library knows nobody, the services only the library, and who loads or tests from outside only the client."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT

OURS = {"millpond", "api", "worker", "collector", "loadtest", "examples", "tests"}
MAY_IMPORT = {
    "millpond": {"millpond"},
    "api": {"millpond", "api"},
    "worker": {"millpond", "worker"},
    "collector": {"millpond", "collector"},
    "examples": {"millpond", "examples"},
    "loadtest": {"millpond.client", "loadtest"},
    "loadtest/peers": {"millpond", "api.app", "loadtest"},  # processes of their own, the peers' side of a comparison
    "tests/system": {"millpond.client", "loadtest", "tests"},
}
MAY_IMPORT_RQ = ("worker/", "millpond/rq.py", "tests/", "loadtest/peers/")


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it; `from package import module` counts as package.module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            yield from (f"{node.module}.{one.name}" for one in node.names)


def within(module: str, allowed: set[str]) -> bool:
    return any(module == one or module.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_each_folder_imports_only_what_it_may(folder: str) -> None:
    closer = [ROOT / other for other in MAY_IMPORT if other.startswith(folder + "/")]
    files = [file for file in (ROOT / folder).rglob("*.py") if not any(file.is_relative_to(other) for other in closer)]
    assert files
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imported(file)
        if module.partition(".")[0] in OURS and not within(module, MAY_IMPORT[folder])
    ]
    assert not wrong


def test_rq_is_known_in_one_service_and_one_module() -> None:
    files = [file.relative_to(ROOT) for folder in OURS for file in (ROOT / folder).rglob("*.py")]
    users = [str(file) for file in files if any(within(module, {"rq"}) for module in imported(ROOT / file))]
    assert users
    assert not [file for file in users if not file.startswith(MAY_IMPORT_RQ)]
