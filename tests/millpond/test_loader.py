"""Users' modules are imported from the end of the path; what cannot be is refused by name. Each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TASK = "from millpond import task\n@task\ndef {name}(): ...\n"
_SCRIPT = """
import sys
from pathlib import Path
from millpond.errors import BadSetting
from millpond.loader import load
folders = [Path(sys.argv[1])]
try:
    print(*sorted(load(sys.argv[2:], folders)))
    assert sys.path[-1] == str(folders[0].resolve()), sys.path
except BadSetting as error:
    print("refused:", error.detail)
"""
ROOT = Path(__file__).parents[2]


def load(folder: Path, *modules: str, path: str = "") -> str:
    command = [sys.executable, "-P", "-c", _SCRIPT, str(folder), *modules]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), path]))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def test_modules_packages_and_what_they_import(tmp_path: Path) -> None:
    write(tmp_path, pictures=TASK.format(name="resize") + "import helper\n", helper=TASK.format(name="rotate"))
    (tmp_path / "shop").mkdir()
    write(tmp_path / "shop", __init__="", orders=TASK.format(name="pack"))
    assert load(tmp_path, "pictures", "shop.orders") == "pack resize rotate"


def test_a_module_that_passes_on_tasks_of_another(tmp_path: Path) -> None:
    write(tmp_path, everything="from pictures import resize\n", pictures=TASK.format(name="resize"))
    assert load(tmp_path, "everything") == "resize"


def test_nothing_to_load(tmp_path: Path) -> None:
    assert load(tmp_path) == ""


@pytest.mark.parametrize("name", ["json", "sys", "millpond", "api", "worker", "collector", "loadtest", "tests"])
def test_names_of_python_and_of_ours(tmp_path: Path, name: str) -> None:
    write(tmp_path, **{name: TASK.format(name="resize")})
    assert load(tmp_path, name).startswith(f"refused: MILLPOND_TASKS: '{name}' is the name of a module of ")


@pytest.mark.parametrize("module", ["redis", "redis.tasks", "yaml"])
def test_a_name_of_an_installed_module(tmp_path: Path, module: str) -> None:
    top = module.partition(".")[0]
    write(tmp_path, **{top: TASK.format(name="resize")})
    assert load(tmp_path, module).startswith(f"refused: MILLPOND_TASKS: '{top}' is also the name of an installed module (")


def test_an_installed_package_may_hold_tasks(tmp_path: Path) -> None:
    installed, empty = tmp_path / "installed", tmp_path / "tasks"
    installed.mkdir()
    empty.mkdir()
    write(installed, pictures=TASK.format(name="resize"))
    assert load(empty, "pictures", path=str(installed)) == "resize"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere_at_all\n", "'bad' cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def broken(:\n", "'bad' cannot be imported: SyntaxError"),
        ("raise SystemExit(3)\n", "'bad' cannot be imported: SystemExit: 3"),
        ("1 / 0\n", "'bad' cannot be imported: ZeroDivisionError"),
        ("def forgotten(): ...\nunhashable = [{}]\n", "'bad' defines no task"),
        (TASK.format(name="a") + "@task(name='a')\ndef b(): ...\n", "bad: Two functions are called task 'a': bad.a and bad.b"),
        ("from millpond import task\n@task(max_attempts=0)\ndef a(): ...\n", "bad: Task 'a': max_attempts is"),
        ("from millpond import task\nclass C: ...\n@task\ndef a(c: C): ...\n", "Task 'a': the annotation of parameter 'c'"),
    ],
)
def test_a_module_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, bad=text)
    answer = load(tmp_path, "bad")
    assert answer.startswith("refused: ")
    assert said in answer


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    assert "'pictures' cannot be imported: ModuleNotFoundError" in load(tmp_path, "pictures")
