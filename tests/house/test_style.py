"""Rules of CONTRIBUTING.md that a program can check."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.processes import ROOT

PRODUCT = ("millpond", "api", "worker", "collector", "loadtest", "examples")
LONGEST_MODULE = 300


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository, as git knows them, without this one, which spells what it forbids."""
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.splitlines()]
    return [file for file in files if file.is_file() and file != Path(__file__)]


def hits(pattern: str, files: list[Path]) -> Iterator[str]:
    """`file:line: text` for each line that matches."""
    compiled = re.compile(pattern)
    for file in files:
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            if compiled.search(line):
                yield f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}"


def product() -> list[Path]:
    return [file for folder in PRODUCT for file in tracked(f"{folder}/*.py")]


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {file: len(file.read_text().splitlines()) for file in product()}
    assert not {str(file.relative_to(ROOT)): length for file, length in lengths.items() if length > LONGEST_MODULE}


def test_only_settings_reads_the_environment() -> None:
    services = [file for folder in ("millpond", "api", "worker", "collector") for file in tracked(f"{folder}/*.py")]
    assert not list(hits(r"os\.(environ|getenv)", [file for file in services if file.name != "settings.py"]))


def test_no_test_sleeps() -> None:
    """Tasks may, which tests submit; and sleep(0) only lets others have their turn."""
    tests = [file for file in tracked("tests/*.py") if file.parent.name != "tasks"]
    assert not list(hits(r"\btime\.sleep\(|asyncio\.sleep\((?!0\))[0-9.]", tests))


def test_no_address_of_a_package_index_and_no_path_of_one_machine() -> None:
    index = r"https?://[^ \"]+\.(whl|tar\.gz|deb)\b|https?://[^ \"]+/(simple|debian)\b|--(extra-)?index-url +http"
    assert not list(hits(index + r"|(^|[^A-Za-z0-9_.])/(work|farm|home)/", tracked()))


def test_nothing_is_left_for_later() -> None:
    assert not list(hits(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", tracked("*.py", "*.md", "*.yml", "*.yaml", "*.lua")))


def test_the_generated_docs_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_what_setup_compiles_exists() -> None:
    named = re.search(r"^SERVICES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named
    assert all(find_spec(module) for module in named[1].split(", "))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/operate.md", "docs/rq.md", "docs/tasks.md"])
def test_commands_and_links_in_the_docs_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
    assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= make_targets()
    modules = {name for name in re.findall(r"python -m ([a-z_.]+)", code) if name.partition(".")[0] in PRODUCT}
    assert all((ROOT / name.replace(".", "/")).is_dir() or (ROOT / (name.replace(".", "/") + ".py")).is_file() for name in modules)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert not [link for link in links if link and not ((ROOT / page).parent / link).exists()]


def test_every_error_code_is_documented() -> None:
    text = (ROOT / "docs/http.md").read_text()
    files = [ROOT / "millpond/errors.py", *tracked("api/*.py", "worker/*.py")]
    codes = {code for file in files for code in re.findall(r'\bcode ?= ?"([a-z_]+)"', file.read_text())}
    assert codes
    never_answered = {"bad_setting", "unavailable"}  # a setting's fault ends the process; the other is a base class's
    assert not {code for code in codes if f"`{code}`" not in text} - never_answered


def test_settings_named_in_the_docs_exist() -> None:
    known = set(re.findall(r"`(MILLPOND_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))
    named = {word for file in tracked("*.md") for word in re.findall(r"\bMILLPOND_[A-Z][A-Z_]*[A-Z]\b", file.read_text())}
    compose_only = {"MILLPOND_LOAD_PORT"}
    assert {name.removesuffix("_FILE") for name in named} - {name.removesuffix("_FILE") for name in known} <= compose_only
