"""Imports point down, decisions have no clock, and the library loads nothing that it does not need."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("radiuscore", "mgmt", "mikrotik")

LAYERS = {  # package: the project packages it may import; radiuscore.server and mgmt are on top and need no row
    "radiuscore.wire": {"radiuscore.wire"},
    "radiuscore.aaa": {"radiuscore.aaa", "radiuscore.wire"},
    "radiuscore.state": {"radiuscore.state", "radiuscore.aaa", "radiuscore.wire"},
    "radiuscore.engine": {"radiuscore.engine", "radiuscore.state", "radiuscore.aaa", "radiuscore.wire"},
    "radiuscore.store": {"radiuscore.store", "radiuscore.aaa"},
    "radiuscore": {"radiuscore"},
    "mikrotik": {"mikrotik"},
}
PURE = ("radiuscore.wire", "radiuscore.aaa")
IMPURE = {
    *("asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "selectors"),
    *("signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "zoneinfo"),
}
CLOCKS = {"now", "today", "utcnow", "uuid4"}
HEAVY = ("asyncpg", "aiohttp", "asyncssh", "librouteros")


def modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(name: str) -> str | None:
    parts = name.split(".")
    return next((row for n in (2, 1) if (row := ".".join(parts[:n])) in LAYERS), None)


@pytest.mark.parametrize(("name", "path"), [pytest.param(*module, id=module[0]) for module in modules()])
def test_a_module_imports_only_what_is_below_it(name: str, path: Path) -> None:
    row = layer_of(name)
    if row is None or name.startswith("radiuscore.server"):
        return
    ours = [target for target in imports(path) if target.split(".")[0] in OURS]
    allowed = tuple(LAYERS[row])
    upward = [target for target in ours if not any(target == one or target.startswith(one + ".") for one in allowed)]
    assert not upward, f"{name} may import {sorted(allowed)}"


@pytest.mark.parametrize(
    ("name", "path"), [pytest.param(*module, id=module[0]) for module in modules() if module[0].startswith(PURE)]
)
def test_the_codec_and_the_decisions_do_no_io_and_read_no_clock(name: str, path: Path) -> None:
    assert not IMPURE & {target.split(".")[0] for target in imports(path)}
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]
    assert not [call.id for call in calls if isinstance(call, ast.Name) and call.id in {"open", "input", "print"}]


def test_the_table_of_layers_sees_an_upward_import(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("from radiuscore.store import pool\nimport time\n")
    assert layer_of("radiuscore.wire.module") == "radiuscore.wire"
    assert "radiuscore.store" in set(imports(module))
    assert "time" in set(imports(module))


def test_importing_the_library_loads_no_database_no_web_server_and_no_router_client() -> None:
    program = f"import radiuscore, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
