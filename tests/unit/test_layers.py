"""The table of layers in ARCHITECTURE.md holds."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "asktell"
PURE_ROWS = range(1, 9)
FOLDERS = {"optimize", "execute"}


def _table() -> dict[str, int]:
    rows = {}
    for line in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines():
        match = re.match(r"\| (\d+) \| (.+) \|$", line)
        if match:
            for name in re.findall(r"`([\w.]+)`", match[2]):
                rows[name] = int(match[1])
    return rows


TABLE = _table()
MODULES = sorted(SOURCE.rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _unit(name: str) -> str | None:
    """The table's entry that a module belongs to: itself or its nearest package."""
    while name and name not in TABLE:
        name = name.rpartition(".")[0]
    return name or None


def _imports(path: Path) -> set[str]:
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            if node.module == "asktell":
                found |= {alias.name for alias in node.names}
            elif node.module and node.module.startswith("asktell."):
                module = node.module.removeprefix("asktell.")
                # `from asktell.optimize import engines` means the module, not the folder.
                found |= {f"{module}.{alias.name}" if module in FOLDERS else module for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("asktell.")
                for alias in node.names
                if alias.name.startswith("asktell.")
            }
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: _name(path) or "asktell")
def test_a_module_imports_only_from_rows_above_its_own(path: Path) -> None:
    name = _name(path)
    if name == "" or (path.name == "__init__.py" and name in FOLDERS):
        return  # the facade, and folders that only group
    unit = _unit(name)
    assert unit is not None, f"{name} has no row in ARCHITECTURE.md"
    for imported in _imports(path):
        other = _unit(imported)
        assert other is not None, f"{name} imports {imported}, which has no row"
        if other == unit:
            continue
        assert TABLE[other] < TABLE[unit], (
            f"{name} (row {TABLE[unit]}) imports {imported} (row {TABLE[other]})"
        )


def test_every_row_of_the_table_exists() -> None:
    names = {_name(path) for path in MODULES}
    assert TABLE.keys() <= names


def test_the_pure_rows_load_without_dask_zarr_xarray_and_asyncio() -> None:
    pure = [name for name, row in TABLE.items() if row in PURE_ROWS]
    script = (
        "import sys, importlib\n"
        f"for name in {pure!r}: importlib.import_module('asktell.' + name)\n"
        "heavy = {'dask', 'distributed', 'zarr', 'xarray', 'asyncio', 'skopt'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
