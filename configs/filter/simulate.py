"""Runs ngspice on a netlist and scores the response: python simulate.py filter.cir

Leaves result.json (mask_error, ripple, attenuation; dB) and response.nc (gain by frequency).
ngspice's own output goes on to stdout, where the study finds noise and distortion.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import netcdf_file

PASSBAND_HZ, RIPPLE_DB = 10e3, 1.0
STOPBAND_HZ, ATTENUATION_DB = 30e3, 36.0


def main(netlist: str) -> None:
    printed = run_ngspice(netlist)
    print(printed)
    if abort := re.search(
        r"^.*(?:Timestep too small|simulation\(s\) aborted|singular matrix).*$", printed, re.M
    ):
        sys.exit(f"ngspice did not converge: {abort[0].strip()}")
    frequency, gain = np.loadtxt("response.txt", unpack=True)
    gain = gain - gain[0]
    Path("result.json").write_text(json.dumps(score(frequency, gain)))
    save(Path("response.nc"), frequency, gain)


def run_ngspice(netlist: str) -> str:
    """Everything it printed. Its exit code says nothing: it is 1 after each run of a .control block."""
    done = subprocess.run(
        ["ngspice", "-b", netlist], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def score(frequency: NDArray[np.float64], gain: NDArray[np.float64]) -> dict[str, float]:
    """How well a response keeps to the mask. frequency: (n,) Hz; gain: (n,) dB relative to the passband.

    mask_error: 6-norm of the deviations in units of what the mask allows, in dB. No norm is below the
    maximum, so a negative one means inside the mask everywhere; and it is smooth, which a maximum is not.
    """
    passband = np.abs(gain[frequency <= PASSBAND_HZ])
    stopband = gain[frequency >= STOPBAND_HZ]
    deviations = np.concatenate([passband / RIPPLE_DB, 10 ** ((stopband + ATTENUATION_DB) / 20)])
    return {
        "mask_error": 20 * np.log10(np.sum(deviations**6)) / 6,
        "ripple": passband.max(),
        "attenuation": -stopband.max(),
    }


def save(path: Path, frequency: NDArray[np.float64], gain: NDArray[np.float64]) -> None:
    with netcdf_file(path, "w") as file:
        file.createDimension("frequency", len(frequency))
        for name, values, units in (("frequency", frequency, "Hz"), ("response", gain, "dB")):
            variable = file.createVariable(name, "f8", ("frequency",))
            variable[:] = values
            variable.units = units


if __name__ == "__main__":
    main(sys.argv[1])
