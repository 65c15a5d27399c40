"""A study made from another one's trials, with objectives computed anew from what these have left.

Outputs stay where they can be read: the new study has a chunk of a large output as a second name (hard
link) of the source's file, which nobody ever rewrites; where the file system cannot do that, as a copy.
It needs the source no more: either may be removed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asktell.analysis import open as open_results
from asktell.cluster.certificates import study_security
from asktell.cluster.local import LocalPool
from asktell.config import ObjectiveConfig, StudyConfig, from_resolved, with_overrides
from asktell.config.models import Direction, ResultConfig
from asktell.creation import drafted
from asktell.directory import StudyDirectory
from asktell.durable import make_folder, replace_files, sync
from asktell.errors import StudyError
from asktell.journal import open_driver, replay_driver
from asktell.records import Added, Asked, Closed, Opened, Record, SchemaSet
from asktell.retell.measure import Measure
from asktell.retell.reading import Told, read
from asktell.session import code_hash, cores, optimizer_of, study_directory
from asktell.store import Layout, Row, RowBuilder, consolidate
from asktell.store.outputs import SPOOL, is_inline
from asktell.store.table import Table
from asktell.trial import Cause, Origin, Outcome, Status, Trial
from asktell.versions import installed

logger = logging.getLogger(__name__)

EVALUATION = "retold.py"
SOURCE = "source.yaml"
EARLIER = "earlier"
"""Folder with the same two files of a source that was retold itself."""


_CALL = f"{EVALUATION}:evaluate"


@dataclass(frozen=True, slots=True)
class Retold:
    """A study that was made. failed: why trials have no new objective, by their number in the source.

    n_left_out: trials of the source that have not ended, or are not in its results yet.
    """

    path: Path
    config: StudyConfig
    n_completed: int
    failed: Mapping[int, str]
    n_left_out: int


@dataclass(frozen=True, slots=True)
class _Ended:
    """A trial of the source. chunks: where each chunk of its outputs lies, by its recorded path."""

    row: Row
    chunks: Mapping[str, Path]

    @property
    def number(self) -> int:
        return self.row.trial.number

    @property
    def lost(self) -> str:
        """The first of its chunks that is not there any more, or ''."""
        sizes = {
            chunk.path: chunk.bytes for array in self.row.outcome.arrays.values() for chunk in array.chunks
        }
        gone = (file for path, file in self.chunks.items() if not _has_size(file, sizes[path]))
        return str(next(gone, ""))


def retell(
    source: Path,
    target: str,
    into: Path | None = None,
    *,
    directions: Mapping[str, Direction] | None = None,
    overrides: Sequence[str] = (),
    workers: int | None = None,
) -> Retold:
    """A new study whose trials are those that ended in `source`, with new objectives; nothing is run.

    target: the function, see `Measure`; files are looked for in the current folder. into: default
    `<name>-<function>.study` there. directions: by objective, '' for those that are not named; default: as
    in the source where it has an objective of that name, else minimised. overrides: 'key.path=value' above
    the source's study file. workers: default as many as this machine has cores.

    A trial that failed in the source has failed here, and so has one for which the function fails: with
    the reason, without its outputs. None counts towards the budget. Raises StudyError where there is no
    such study, function or result, where the function fails for every trial, or where `into` exists;
    ConfigError where the new objectives do not fit the study file.
    """
    directory = study_directory(source)
    config = from_resolved(directory.config)
    measure = Measure(target, str(Path.cwd()))
    measure.check()
    into = (into or Path(f"{config.name}-{measure.name}.study")).resolve()
    with drafted(into) as draft:
        records = replay_driver(directory.journal)
        published = _published(directory)
        ended = [item for item in _ended(directory, records) if item.number in published]
        told = _told(directory, draft, measure, ended, workers)
        names = list(next(item.values for _, item in sorted(told.items()) if not item.error))
        _keep_source(config, draft.root, into)
        replace_files([(draft.root / EVALUATION, _evaluation(directory.root, measure).encode())])
        changed = _config(config, names, directions or {}, into.name.removesuffix(".study"), draft.root)
        changed = with_overrides(changed, overrides)
        optimizer_of(changed)  # what the engine refuses is refused here
        code = code_hash(changed)
        changed = _in_folder(changed, into)
        replace_files([(draft.config, changed.to_yaml(into).encode())])
        added = [
            _added(number, item, told.get(item.number), names, directory.root, draft)
            for number, item in enumerate(ended)
        ]
        _write(
            draft,
            Opened(0, time.time(), config=changed.dump(), versions=installed(), code=code),
            records,
            added,
        )
    failed = {
        int(record.trial.details["trial"]): record.outcome.error
        for record in added
        if record.outcome.status is not Status.COMPLETED and int(record.trial.details["trial"]) in told
    }
    n_completed = sum(record.outcome.status is Status.COMPLETED for record in added)
    return Retold(into, changed, n_completed, failed, _n_asked(records) - len(ended))


# ---- the source --------------------------------------------------------------------------------


def _published(directory: StudyDirectory) -> set[int]:
    with open_results(directory.root) as trials:
        return {int(number) for number in trials["trial"].values}


def _ended(directory: StudyDirectory, records: Sequence[Record]) -> list[_Ended]:
    """The source's trials that have ended, by number."""
    table = Table(Layout.from_openings([record for record in records if isinstance(record, Opened)]))
    builder, found = RowBuilder(), []
    for record in records:
        if isinstance(record, SchemaSet):
            table.set_schema(record)
        elif (row := builder.take(record)) is not None:
            places = table.append(_without_inline(row))
            files = {place.chunk.path: directory.store / place.path for place in places}
            spooled = {path: directory.root / path for path, file in files.items() if not file.exists()}
            found.append(_Ended(row, files | spooled))
    return sorted(found, key=lambda item: item.number)


def _without_inline(row: Row) -> Row:
    arrays = {name: array for name, array in row.outcome.arrays.items() if not is_inline(array)}
    return replace(row, outcome=replace(row.outcome, arrays=arrays))


def _n_asked(records: Sequence[Record]) -> int:
    return sum(
        len(record.trials) if isinstance(record, Asked) else isinstance(record, Added) for record in records
    )


def _has_size(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except FileNotFoundError:
        return False


# ---- the new objectives ------------------------------------------------------------------------


def _told(
    directory: StudyDirectory,
    draft: StudyDirectory,
    measure: Measure,
    ended: Sequence[_Ended],
    workers: int | None,
) -> dict[int, Told]:
    """What the function makes of each completed trial, by number. Raises StudyError where it is of no use."""
    completed = [item for item in ended if item.row.is_completed]
    if not completed:
        raise StudyError(f"{directory.root}: no trial has completed, so there is nothing to compute from")
    found = {
        item.number: Told(cause=Cause.INVALID_RESULT, error=f"an output is lost: {item.lost} is not there")
        for item in completed
        if item.lost
    }
    numbers = [item.number for item in completed if item.number not in found]
    n_workers = max(1, min(workers or cores(), len(numbers)))
    pool = LocalPool(n_workers, security=study_security(draft))
    try:
        with pool.connect() as client:
            found |= read(client, directory.root, measure, numbers, lambda: pool.keep((), n_workers))
    finally:
        pool.close()
    good = [number for number, told in sorted(found.items()) if not told.error]
    if not good:
        number, first = min(found.items())
        raise StudyError(
            f"{measure.target} gives no result for any of {len(found)} trials; "
            f"for trial {number}: {first.error}\n{_what_there_is(directory)}"
        )
    names = found[good[0]].values.keys()
    for number in good:
        if lacking := sorted(names - found[number].values.keys()):
            error = f"{lacking[0]!r} is missing; {measure.target} gives it for trial {good[0]}"
            found[number] = Told(cause=Cause.INVALID_RESULT, error=error)
    return found


def _what_there_is(directory: StudyDirectory) -> str:
    with open_results(directory.root) as trials:
        arrays = [str(name) for name, item in trials.data_vars.items() if item.ndim > 1]
    return (
        f"what a trial's row holds besides numbers and texts: {', '.join(arrays) or 'no output was stored'}"
    )


# ---- the new study -----------------------------------------------------------------------------


def _evaluation(source: Path, measure: Measure) -> str:
    """The file with the objective function of the new study."""
    return f'''\
"""What a trial runs: what {SOURCE} says ({source.name} was run with it), then a function of the result."""

from pathlib import Path

from asktell.retell.evaluation import Evaluation

evaluate = Evaluation(
    Path(__file__).with_name({SOURCE!r}),
    {measure.target!r},
    folder={measure.folder!r},
)
'''


def _keep_source(config: StudyConfig, folder: Path, final: Path) -> None:
    """Write the study file of the source, and what it runs if it was retold, to `folder`, to be `final`."""
    evaluate = config.evaluate
    if evaluate.call == _CALL and (evaluate.folder / SOURCE).is_file():
        make_folder(folder / EARLIER)
        replace_files([(folder / EARLIER / EVALUATION, (evaluate.folder / EVALUATION).read_bytes())])
        _keep_source(from_resolved(evaluate.folder / SOURCE), folder / EARLIER, final / EARLIER)
        config = _in_folder(config, final / EARLIER)
    replace_files([(folder / SOURCE, config.to_yaml(final).encode())])


def _config(
    config: StudyConfig, names: Sequence[str], directions: Mapping[str, Direction], name: str, folder: Path
) -> StudyConfig:
    """The source's study file with other objectives, and what computes them for trials to come."""
    if unknown := [key for key in directions if key and key not in names]:
        raise StudyError(f"there is no objective {unknown[0]!r}; the function gives {', '.join(names)}")
    objectives = {}
    for key in names:
        known = config.objectives.get(key, ObjectiveConfig())
        direction = directions.get(key, directions.get("", known.direction))
        objectives[key] = known.model_copy(update={"direction": direction})
    evaluate = config.evaluate.model_copy(
        update={
            "call": _CALL,
            "command": None,
            "shell": False,
            "templates": [],
            "result": ResultConfig(),
        }
    )
    sections = {
        "name": name,
        "evaluate": evaluate,
        "objectives": objectives,
        # What was good for the old objectives says nothing of the new ones.
        "optimizer": config.optimizer.model_copy(update={"warm_start": []}),
        "budget": config.budget.model_copy(update={"target": None}),
    }
    return _in_folder(config.model_copy(update=sections), folder)


def _in_folder(config: StudyConfig, folder: Path) -> StudyConfig:
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"folder": folder})})


def _added(
    number: int,
    item: _Ended,
    told: Told | None,
    names: Sequence[str],
    source: Path,
    draft: StudyDirectory,
) -> Added:
    """The source's trial as one of the new study; its chunks are in the new study's spool."""
    outcome = item.row.outcome
    if told is not None and told.error:
        outcome = replace(
            outcome, status=Status.FAILED, cause=told.cause, error=told.error, arrays={}, coords={}
        )
    elif told is not None:
        outcome = _with_chunks(outcome, item, draft)
        outcome = replace(outcome, values={**outcome.values, **told.values})
    details = {"study": str(source), "trial": item.number}
    trial = Trial(
        number, item.row.trial.params, Origin.RETOLD, asked_at=item.row.trial.asked_at, details=details
    )
    return Added(trial, outcome, time.time())


def _with_chunks(outcome: Outcome, item: _Ended, draft: StudyDirectory) -> Outcome:
    folder = draft.root / SPOOL / "retold"
    arrays = {}
    for name, array in outcome.arrays.items():
        chunks = []
        for chunk in array.chunks:
            make_folder(folder)
            target = folder / f"{item.number:06d}.{Path(chunk.path).name}"
            _bring(item.chunks[chunk.path], target)
            chunks.append(replace(chunk, path=target.relative_to(draft.root).as_posix()))
        arrays[name] = replace(array, chunks=tuple(chunks))
    return replace(outcome, arrays=arrays)


def _bring(file: Path, target: Path) -> None:
    """Let `target` be the same file; a copy where the file system has no links between them."""
    try:
        os.link(file, target)
    except OSError as error:
        logger.info("%s is copied: %s", file, error)
        replace_files([(target, file.read_bytes())])


def _write(draft: StudyDirectory, opened: Opened, records: Sequence[Record], added: Sequence[Added]) -> None:
    """The new study's journal, and its results."""
    schema = [record for record in records if isinstance(record, SchemaSet)]
    journal = open_driver(draft.journal, opened)
    try:
        journal.append_many([*schema, *added, Closed(time.time(), "retold; resume it to go on", done=False)])
    finally:
        journal.close()
    if (spool := draft.root / SPOOL / "retold").is_dir():
        sync(spool)
    consolidate(draft.root)
