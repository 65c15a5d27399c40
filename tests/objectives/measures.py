"""What may be asked of the trials of `with_outputs`, and some things that cannot be answered."""

import os

import numpy as np


def spread(trial):
    if trial.x == 0.5:
        raise RuntimeError("not in the middle")
    if trial.x == 0.7:
        os._exit(3)
    return trial.large.max() - trial.small.sum() + trial.n


def total(trial):
    return trial.small.sum()


def numbers(trial):
    return trial.x + trial.loss


def halved(trial):
    return trial.spread / 2


def labelled(trial):
    assert trial.small.dims == ("row", "column")
    assert trial.small.attrs["units"] == "mm"
    return {"corner": trial.small.sel(column=40).isel(row=3), "loss": trial.loss + trial.extra}


def nothing(trial):
    return np.nan


def unknown(trial):
    return trial.absent.sum()


def array(trial):
    return trial.small


number = 3
