"""The table of mutations fits the code: every text to take out is there once, what is left still loads, every test exists.

That the tests notice is seen by ``python -m tests.rules.mutate``, which takes some minutes.
"""

import ast

import pytest

from millpond.scripts import load
from tests.millpond.scripts.pond import Pond
from tests.processes import ROOT
from tests.rules.mutate import file_of, mutated
from tests.rules.mutations import MUTATIONS, Mutation


def named(mutation: Mutation) -> str:
    return f"{mutation.rule}, {mutation.name}"


def test_every_rule_has_a_test_named_after_it_and_mutations() -> None:
    assert {one.rule for one in MUTATIONS} == set(range(1, 16))
    assert all(file_of(ROOT, rule).is_file() for rule in range(1, 16))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_it_can_be_applied_and_is_tested(pond: Pond, mutation: Mutation) -> None:
    text = mutated((ROOT / mutation.file).read_text(), mutation)
    if mutation.file.endswith(".py"):
        ast.parse(text)
    elif mutation.file.endswith(".lua"):
        verb = "finish" if "/common/" in mutation.file else mutation.file.rpartition("/")[2].removesuffix(".lua")
        script = load(verb).text
        assert pond.ask("SCRIPT", "LOAD", script.replace(mutation.old, mutation.new)) != load(verb).sha
    names = {node.name for node in ast.parse(file_of(ROOT, mutation.rule).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert {name for name in mutation.tests if "/" not in name} <= names
    assert all((ROOT / name).is_file() for name in mutation.tests if "/" in name)
