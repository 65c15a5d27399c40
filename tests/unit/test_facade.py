import subprocess
import sys

import asktell


def test_every_public_name_is_there_and_sorted() -> None:
    assert sorted(asktell.__all__) == asktell.__all__
    for name in asktell.__all__:
        assert getattr(asktell, name) is not None


def test_importing_asktell_loads_nothing_heavy() -> None:
    script = (
        "import sys, asktell; asktell.log\n"
        "heavy = {'numpy', 'pydantic', 'dask', 'distributed', 'zarr', 'xarray', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
