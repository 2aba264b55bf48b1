"""``python -m tests.rules.mutate [RULE ...]``: takes each rule out of a copy of the tree and requires that its test fails.

A line for each mutation; ends with 1 if one of them was not noticed.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.processes import ROOT
from tests.rules.mutations import MUTATIONS, Mutation

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".millpond", "__pycache__", ".*_cache", ".hypothesis", "*.db*")
PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--slack", "1"]
NOTICED, PASSED = 1, 0  # pytest's exit status where a test failed, and where none did


def main(rules: list[int]) -> int:
    """Try the mutations of these rules, or all."""
    chosen = [one for one in MUTATIONS if not rules or one.rule in rules]
    with tempfile.TemporaryDirectory(prefix="millpond-mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
        if not passes(tree, chosen):
            return 1
        unnoticed = [one for one in chosen if not tried(tree, one)]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} mutations noticed")
    return 1 if unnoticed else 0


def passes(tree: Path, mutations: list[Mutation]) -> bool:
    """Whether all those tests pass with every rule in: a test that fails anyway notices nothing."""
    began = time.monotonic()
    files = sorted({name for one in mutations for name in command(tree, one) if name.startswith("tests/")})
    tests = sorted({name for one in mutations for name in one.tests if "/" not in name})
    whole = [name for one in mutations for name in one.tests if "/" in name]
    runs = [[*PYTEST, *(set(files) - set(whole)), "-k", " or ".join(tests)]] + ([[*PYTEST, *whole]] if whole else [])
    good = all(subprocess.run(run, cwd=tree, check=False, stdout=subprocess.DEVNULL).returncode == PASSED for run in runs)
    print(f"with every rule in: {'all pass' if good else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
    return good


def tried(tree: Path, mutation: Mutation) -> bool:
    """Whether a test noticed; prints the mutation's line."""
    file = tree / mutation.file
    original = file.read_text()
    file.write_text(mutated(original, mutation))
    began = time.monotonic()
    try:
        status = subprocess.run(command(tree, mutation), cwd=tree, capture_output=True, check=False).returncode
    finally:
        file.write_text(original)
    said = {NOTICED: "noticed", PASSED: "NOT NOTICED"}.get(status, f"BROKEN (pytest ended with {status})")
    print(f"rule {mutation.rule:2}  {mutation.name:52} {said} in {time.monotonic() - began:.1f} s", flush=True)
    return status == NOTICED


def mutated(text: str, mutation: Mutation) -> str:
    """The text without the rule."""
    assert text.count(mutation.old) == 1, f"rule {mutation.rule}, {mutation.name}: {text.count(mutation.old)} places in {mutation.file}"
    return text.replace(mutation.old, mutation.new)


def command(tree: Path, mutation: Mutation) -> list[str]:
    """How its tests are run."""
    paths = [name for name in mutation.tests if "/" in name] or [str(file_of(tree, mutation.rule).relative_to(tree))]
    names = [name for name in mutation.tests if "/" not in name]
    chosen = ["-k", " or ".join(names)] if names else []
    return [*PYTEST, *paths, *chosen]


def file_of(tree: Path, rule: int) -> Path:
    """The file named after a rule."""
    (found,) = (tree / "tests" / "rules").glob(f"test_rule_{rule:02}_*.py")
    return found


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]]))
