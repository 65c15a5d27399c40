"""Draws the responses of a study's trials against the mask: python picture.py filter.study filter.png"""

import sys

import matplotlib.pyplot as plt
from simulate import ATTENUATION_DB, PASSBAND_HZ, RIPPLE_DB, STOPBAND_HZ

import asktell


def main(study: str, picture: str) -> None:
    results = asktell.open(study)
    done = results.isel(trial=(results.feasible == 1).values)
    best = done.isel(trial=int(done.mask_error.values.argmin()))
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    kilohertz = done.frequency / 1e3
    axes.semilogx(kilohertz, done.response.T, color="0.8", linewidth=0.5)
    axes.semilogx(kilohertz, best.response, color="C0", label=f"trial {int(best.trial)}, {best.opamp.item()}")
    passband, stopband = PASSBAND_HZ / 1e3, STOPBAND_HZ / 1e3
    for edge in (-RIPPLE_DB, RIPPLE_DB):
        axes.hlines(edge, 1, passband, color="C3")
    axes.hlines(-ATTENUATION_DB, stopband, kilohertz.max(), color="C3", label="mask")
    axes.set(xlabel="frequency (kHz)", ylabel="gain (dB)", ylim=(-90, 25), xlim=(1, kilohertz.max()))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
