"""Imports between parts have one direction and no circles, so that each part can be used alone."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("handler", "training", "ui", "gateway", "ops", "monitoring", "fixtures", "benchmarks")
MAY_IMPORT = {
    "handler": set(),
    "training": {"handler", "settings"},
    "ui": {"settings", "json_logs"},
    "gateway": set(),
    "ops": {"gateway", "settings", "json_logs"},
    "monitoring": {"settings", "json_logs"},
    "fixtures": {"training", "ops"},
    "benchmarks": {"fixtures", "handler", "training", "ui", "ops", "settings"},
}


def _modules(part: str) -> dict[str, Path]:
    paths = (ROOT / part).rglob("*.py")
    return {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_the_parts_below_it(part):
    ours = {*PARTS, "settings", "json_logs", "tests"}
    imported = {name.split(".")[0] for path in _modules(part).values() for name in _imports(path)}
    assert (imported & ours) - {part} <= MAY_IMPORT[part]


def test_tests_share_code_with_benchmarks_only_in_fixtures():
    others = {
        name: path for name, path in _modules("tests").items() if not name.startswith("tests.benchmarks.")
    }
    importers = [
        name for name, path in others.items() if any(i.startswith("benchmarks") for i in _imports(path))
    ]
    assert importers == []


def test_there_is_no_import_circle():
    modules = {name: path for part in PARTS for name, path in _modules(part).items()}
    graph = {name: _imports(path) & modules.keys() - {name} for name, path in modules.items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(modules)  # raises CycleError on a circle


@pytest.mark.parametrize("part", ["ui", "gateway"])
def test_the_page_and_the_gateway_know_the_model_only_by_its_rest_answer(part):
    imported = {name.split(".")[0] for path in _modules(part).values() for name in _imports(path)}
    assert not imported & {"ts", "torch"}
