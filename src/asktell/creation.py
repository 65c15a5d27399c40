"""Makes study directories: complete or not at all."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from asktell.config import StudyConfig, resolved
from asktell.directory import StudyDirectory
from asktell.durable import replace_files
from asktell.errors import StudyError
from asktell.journal import Segment
from asktell.records import WarmStarted
from asktell.session import optimizer_of

logger = logging.getLogger(__name__)


def create(config: StudyConfig, path: Path, warm_starts: Sequence[WarmStarted] = ()) -> StudyDirectory:
    """A new study, to be run. Raises StudyError if the directory exists, EngineError for a wrong engine.

    warm_starts: what it shall know of earlier studies; its first driver takes it into the journal.
    """
    optimizer_of(config := resolved(config))  # what the engine refuses is refused before anything exists
    with drafted(path) as draft:
        replace_files([(draft.config, config.to_yaml(path).encode())])
        if warm_starts:
            segment = Segment.create(draft.journal, "user")
            try:
                segment.append_many(warm_starts)
            finally:
                segment.close()
        for one in warm_starts:
            level = logging.WARNING if one.n_left_out else logging.INFO
            logger.log(
                level,
                "warm start: %d trials of %s; %d do not fit",
                len(one.trials),
                one.study,
                one.n_left_out,
            )
    return StudyDirectory(path.resolve())


@contextmanager
def drafted(path: Path) -> Iterator[StudyDirectory]:
    """A directory to be filled, which has its name at the end, and is gone if there is an error.

    Raises StudyError if `path` exists, before and after.
    """
    if path.exists():
        raise _already_there(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    partial_path.mkdir(mode=0o700)
    draft = StudyDirectory(partial_path)
    try:
        for folder in (draft.journal, draft.trials, draft.logs):
            folder.mkdir()
        yield draft
        partial_path.rename(path)
    except BaseException as error:
        shutil.rmtree(partial_path, ignore_errors=True)
        if isinstance(error, OSError) and path.exists():
            raise _already_there(path) from error
        raise


def _already_there(path: Path) -> StudyError:
    return StudyError(
        f"{path} exists already; go on with `asktell resume {path}`, or choose another directory"
    )
