"""From a study file to a StudyConfig, or to everything that is wrong with it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from asktell.config.checks import check_space, check_study
from asktell.config.cluster_checks import check_cluster, check_memory, misplaced
from asktell.config.faults import Fault, did_you_mean
from asktell.config.messages import translate
from asktell.config.models import StudyConfig
from asktell.config.objective_checks import check_evaluate
from asktell.config.source import SET, Mark, Path, Source, dotted, merge, override, read
from asktell.errors import ConfigError, Problem

_SITE_SECTIONS = ("evaluate", "optimizer", "schedule", "budget", "cluster", "failures", "store")
_MOST_ROUNDS = 50


def load(
    path: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    *,
    site: FilePath | None = None,
    environ: Mapping[str, str] | None = None,
) -> StudyConfig:
    """The study in a file, with 'key.path=value' overrides above it and a site's defaults beneath.

    site: default $ASKTELL_SITE, else asktell/site.yaml in the user's configuration folder.
    Raises ConfigError with every problem that was found, in the order of the file.
    """
    environ = os.environ if environ is None else environ
    file = FilePath(path)
    source = _read_file(file, environ)
    override(source, overrides, environ)
    _rename_partition(source)
    if (defaults := _read_site(site, environ, source)) is not None:
        source = merge(defaults, source)
    config, problems = _validate(source, file.absolute().parent, own=str(file))
    if problems or config is None:
        raise ConfigError(_in_order(problems, str(file)))
    if "name" not in config.model_fields_set:
        config = config.model_copy(update={"name": _default_name(file)})
    return config


def parse(data: Mapping[str, Any], folder: str | os.PathLike[str] = ".") -> StudyConfig:
    """The study that `data` describes as a file in `folder` would. Raises ConfigError with every problem."""
    source = Source(dict(data), {(): Mark("", 0)})
    _rename_partition(source)
    config, problems = _validate(source, FilePath(folder).absolute())
    if problems or config is None:
        raise ConfigError(problems)
    return config


def from_resolved(recorded: str | os.PathLike[str] | Mapping[str, Any]) -> StudyConfig:
    """The configuration that `to_yaml` wrote to a file, or that `dump` returned.

    What it refers to may be gone by now, so that is not looked at.
    """
    if isinstance(recorded, Mapping):
        plain = json.loads(json.dumps(recorded))  # a journal's tuples are lists again
        source = Source(plain, {(): Mark("", 0)})
    else:
        source = _read_file(FilePath(recorded), environ=None)
    config, faults, _ = _build(source)
    problems = source.problems + [_problem(fault, source) for fault in faults]
    if problems or config is None:
        raise ConfigError(problems)
    if isinstance(recorded, Mapping):
        return config
    return _with_folder(config, FilePath(recorded).absolute().parent)


def with_overrides(config: StudyConfig, overrides: Sequence[str]) -> StudyConfig:
    """`config` with 'key.path=value' overrides. Raises ConfigError."""
    source = Source(config.dump(), {(): Mark("", 0)})
    override(source, overrides)
    _rename_partition(source)
    changed, problems = _validate(source, config.evaluate.folder, own=SET)
    if problems or changed is None:
        raise ConfigError(problems)
    return changed


def _with_folder(config: StudyConfig, folder: FilePath) -> StudyConfig:
    """Of the objective: seen from `folder`, where it is not absolute."""
    evaluate = config.evaluate.model_copy(update={"folder": folder / config.evaluate.folder})
    return config.model_copy(update={"evaluate": evaluate})


def _validate(source: Source, folder: FilePath, own: str = "") -> tuple[StudyConfig | None, list[Problem]]:
    """The configuration with its folder filled in, and everything that is wrong with it.

    own: the file that the study is in; a site's defaults beneath it may be meant for other kinds of cluster.
    """
    config, faults, spoilt = _build(source)
    if config is not None:
        config = _with_folder(config, folder)
        optimizer = config.optimizer.model_copy(
            update={"warm_start": [str(folder / path) for path in config.optimizer.warm_start]}
        )
        config = config.model_copy(update={"optimizer": optimizer})
        names = list(_section(source.data, "space"))
        found = [*check_study(config, names), *check_evaluate(config, names), *check_cluster(config)]
        found += check_memory(config)
        if ("cluster", "kind") not in spoilt:
            found += [fault for fault in misplaced(config.cluster) if _is_meant(fault.path, source, own)]
        faults += [fault for fault in found if not _follows(fault, spoilt)]
        if not faults:
            faults += check_space(config)
    return config, source.problems + [_problem(fault, source) for fault in _once(faults)]


def _build(source: Source) -> tuple[StudyConfig | None, list[Fault], list[Path]]:
    """(config, faults, paths left out): where values are wrong, the configuration of all the others.

    The rest is still worth checking, so that a person sees all problems at once.
    """
    faults: list[Fault] = []
    spoilt = list(source.spoilt)
    if source.data is not None and not isinstance(source.data, dict):
        return None, [Fault((), "is no study", "write name, evaluate, space, ... as keys")], spoilt
    # A section with nothing in it, as is left when all its keys are commented out, has its defaults.
    data = {key: value for key, value in (source.data or {}).items() if value is not None}
    for path in spoilt:
        data = _without(data, path) or {}
    for _ in range(_MOST_ROUNDS):
        try:
            return StudyConfig.model_validate(data, by_alias=True, by_name=False), faults, spoilt
        except ValidationError as error:
            found = [translate(item) for item in error.errors(include_url=False)]
        faults += [fault for fault in found if not _follows(fault, spoilt)]
        for fault in found:
            spoilt.append(fault.path)
            data = _without(data, fault.path) if fault.path[0] in data else data | {fault.path[0]: {}}
        data = {"evaluate": {}, "space": {}} | data
    return None, faults, spoilt


def _without(data: Any, path: Path) -> Any:
    """A copy of `data` without the value at `path`, or without what holds it if it is not there."""
    if not path or not isinstance(data, dict) or path[0] not in data:
        return None
    inner = _without(data[path[0]], path[1:]) if len(path) > 1 else None
    rest = {key: value for key, value in data.items() if key != path[0]}
    return rest if inner is None else rest | {path[0]: inner}


def _follows(fault: Fault, spoilt: Sequence[Path]) -> bool:
    """The fault is only there because a faulty value beneath or above it was left out."""
    return any(
        path[: len(fault.path)] == fault.path or fault.path[: len(path)] == path for path in spoilt if path
    )


def _is_meant(path: Path, source: Source, own: str) -> bool:
    """Whoever wrote this key of `cluster` meant it for the kind of cluster that is used.

    With `--cluster local` a study made for the cluster runs on a laptop, its other keys notwithstanding.
    """
    key, kind = source.mark(path).file, source.mark(("cluster", "kind")).file
    return key == SET or (key == own and kind != SET)


def _once(faults: Sequence[Fault]) -> list[Fault]:
    """Faults without repetitions: one message at one path."""
    return list({(fault.path, fault.message): fault for fault in faults}.values())


def _problem(fault: Fault, source: Source) -> Problem:
    mark = source.mark(fault.path)
    return Problem(dotted(fault.path), fault.message, fault.remedy, mark.file, mark.line)


def _in_order(problems: Sequence[Problem], file: str) -> list[Problem]:
    return sorted(problems, key=lambda item: (item.file != file, item.file, item.line))


def _read_file(file: FilePath, environ: Mapping[str, str] | None) -> Source:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = [item.name for item in file.absolute().parent.glob("*.y*ml")]
        remedy = did_you_mean(file.name, near, f"asktell init {file} writes a template")
        raise ConfigError([Problem("", "there is no such file", remedy, str(file))]) from None
    except IsADirectoryError:
        remedy = f"name the study file in it: {file / 'study.yaml'}"
        raise ConfigError([Problem("", "is a folder", remedy, str(file))]) from None
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError([Problem("", "is not UTF-8 text", "save it as UTF-8", str(file), line)]) from None
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        raise ConfigError([Problem("", message, "check its permissions", str(file))]) from None
    source = read(text, str(file), environ)
    _rename_partition(source)
    return source


def _rename_partition(source: Source) -> None:
    """SLURM's own word for a queue will do. Of two layers the upper one counts, whichever word it uses."""
    for path in (("cluster",), ("cluster", "driver")):
        section: Any = source.data
        for key in path:
            section = section.get(key) if isinstance(section, dict) else None
        if not isinstance(section, dict) or "partition" not in section:
            continue
        partition, queue = (*path, "partition"), (*path, "queue")
        if "queue" in section and source.mark(partition).file == source.mark(queue).file:
            source.report(partition, "there is a queue, too, which is the same", "keep one of them")
        section["queue"] = section.pop("partition")
        source.marks[queue] = source.marks.pop(partition, source.mark(path))


def _read_site(site: FilePath | None, environ: Mapping[str, str], study: Source) -> Source | None:
    """The site's defaults for this study, if there are any."""
    named = site or (FilePath(environ["ASKTELL_SITE"]) if environ.get("ASKTELL_SITE") else None)
    home = FilePath(environ.get("XDG_CONFIG_HOME") or FilePath.home() / ".config")
    file = named or home / "asktell" / "site.yaml"
    if named is None and not file.is_file():
        return None
    source = _read_file(file, environ)
    data = source.data = source.data or {}
    if not isinstance(data, dict):
        source.report((), "holds no sections", f"write {', '.join(_SITE_SECTIONS)} as keys")
        data = source.data = {}
    for key in [key for key in data if key not in _SITE_SECTIONS]:
        remedy = did_you_mean(key, _SITE_SECTIONS, f"a site may set {', '.join(_SITE_SECTIONS)}")
        source.report((key,), "does not belong in a site's defaults", remedy)
        del data[key]
    kind = _section(study.data, "cluster").get("kind")
    if kind is not None and kind != _section(data, "cluster").get("kind", kind):
        del data["cluster"]  # its settings are for another kind of cluster
    return source


def _section(data: Any, key: str) -> Mapping[str, Any]:
    section = data.get(key) if isinstance(data, dict) else None
    return section if isinstance(section, dict) else {}


def _default_name(file: FilePath) -> str:
    file = file.absolute()
    name = file.parent.name if file.stem == "study" else file.stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-") or "study"
