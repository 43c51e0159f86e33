"""What is installed is what is here: the wheel holds every file the program reads, and both kinds of install import."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("radiuscore", "mgmt", "mikrotik")
HEAVY = ("asyncpg", "aiohttp", "asyncssh", "librouteros")

REPORT = """
import importlib, importlib.resources, json, sys
import radiuscore
heavy = [name for name in {heavy!r} if name in sys.modules]
names = ("radiuscore", "radius_service", "mikrotik_client", "mgmt.cli")
files = {{name: importlib.import_module(name).__file__ for name in names}}
print(json.dumps({{
    "heavy": heavy,
    "files": files,
    "same": sys.modules["radius_service"].MultiTenantRadiusService is radiuscore.MultiTenantRadiusService,
    "version": radiuscore.__version__,
}}))
"""

pytestmark = pytest.mark.filterwarnings("default")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend that pip would ask, which is hatchling."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install -e '.[test]'")
    into = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-c", "import hatchling.build, sys; hatchling.build.build_wheel(sys.argv[1])", into, cwd=ROOT)
    (built,) = into.glob("*.whl")
    return built


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., dict[str, object]]:
    """A function that installs into a new environment and reports what imports there from where.

    The environment has our dependencies by a path to them, and nothing of ours but what is installed into it.
    """

    def install(*what: str | Path) -> dict[str, object]:
        run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
        python = tmp_path / "venv" / "bin" / "python"
        (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
        (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = (sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check")
        run(*pip, "install", "--no-index", "--no-deps", "--no-build-isolation", *what, cwd=tmp_path)
        found: dict[str, object] = json.loads(run(python, "-P", "-c", REPORT.format(heavy=HEAVY), cwd=tmp_path))
        return found

    return install


def test_the_wheel_holds_every_module_and_what_they_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    modules = {
        str(path.relative_to(ROOT)): path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".sql"} and "compat" not in path.parts
    }
    typed = {f"{package}/py.typed" for package in PACKAGES}

    assert not {name for name in modules if name not in held}
    assert held["radiuscore/schema.sql"] == (ROOT / "schema.sql").read_bytes()
    assert {"radius_service.py", "mikrotik_client.py"} | typed <= held.keys()
    assert {f"radiuscore/migrations/{schema}/0001_baseline.sql" for schema in ("control", "accounting")} <= held.keys()
    assert {name.split("/")[0] for name in held if ".dist-info/" not in name} == {
        *PACKAGES,
        "radius_service.py",
        "mikrotik_client.py",
    }


def test_the_wheel_says_its_licences_and_its_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        (entries,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert "License-Expression: Apache-2.0 AND GPL-3.0-or-later" in metadata
    licences = {path.name for path in (ROOT / "LICENSES").iterdir()}
    assert licences == {name.rpartition("/")[2] for name in names if "/licenses/LICENSES/" in name}
    assert "radiuscore = mgmt.cli:main" in entries


def test_an_installed_wheel_imports_by_the_specifications_names(
    wheel: Path, installed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    found = installed(wheel)
    assert found["heavy"] == []
    assert found["same"] is True
    files = found["files"]
    assert isinstance(files, dict)
    assert all(str(file).startswith(str(tmp_path)) for file in files.values()), files


def test_an_editable_install_imports_by_the_specifications_names(
    installed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install -e '.[test]'")
    found = installed("--editable", ROOT)
    files = found["files"]
    assert isinstance(files, dict)
    assert found["same"] is True
    assert files["radiuscore"] == str(ROOT / "radiuscore" / "__init__.py")
    assert str(files["radius_service"]).startswith((str(tmp_path), str(ROOT)))
