"""The best of a study for other places: a table for a paper, a file of parameters to use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asktell.cli.export import replace

if TYPE_CHECKING:
    import xarray as xr

    from asktell.trial import Params

_DIGITS = 4


def to_table(results: xr.Dataset, file: Path, most: int) -> int:
    """Write the best trials, or those on the Pareto front, as a table; returns how many.

    file: .md, or .tex for LaTeX with booktabs. Parameters and objectives have their units, and four digits;
    a dash stands for a parameter that does not exist at the point.
    """
    headers, rows = best_rows(results, most)
    write = _latex if file.suffix == ".tex" else _markdown
    replace(file, lambda path: path.write_text(write(headers, rows), encoding="utf-8"))
    return len(rows)


def to_parameters(params: Params, file: Path) -> None:
    """Write a point as the evaluation got it: name and value, in JSON, or in YAML for .yaml and .yml."""
    from asktell.config.dialect import write

    plain = dict(params)
    text = write(plain) if file.suffix in (".yaml", ".yml") else json.dumps(plain, indent=1) + "\n"
    replace(file, lambda path: path.write_text(text, encoding="utf-8"))


def best_rows(results: xr.Dataset, most: int) -> tuple[list[str], list[list[str]]]:
    """(headers, rows): trial, objectives, parameters; the best first, by the first objective."""
    from asktell.analysis import completed, facts, pareto
    from asktell.analysis.points import values
    from asktell.space.parameters import Choice

    names = list(facts.signs(results))
    if len(names) > 1:
        best = pareto(results)
    else:
        best = completed(results).isel(trial=facts.is_candidate(completed(results)))
        best = best.isel(trial=facts.losses(best)[:, 0].argsort(kind="stable"))
    best = best.isel(trial=slice(most))
    varied = facts.varied(results)
    units = {name: str(results[name].attrs.get("units", "1")) for name in (*names, *varied)}
    headers = ["trial", *(name if unit in ("", "1") else f"{name} ({unit})" for name, unit in units.items())]
    columns = [[str(number) for number in best["trial"].values]]
    columns += [[_cell(value) for value in best[name].values.tolist()] for name in names]
    for name, parameter in varied.items():
        write = str if isinstance(parameter, Choice) else _cell  # two choices must not become one
        columns.append(["–" if value is None else write(value) for value in values(best, name)])
    return headers, [list(row) for row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _latex(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" & ".join(map(_escape, line)) + r" \\" for line in (headers, *rows)]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    columns = "".join("r" if _is_numeric(column) else "l" for column in zip(*rows, strict=True)) or "l" * len(
        headers
    )
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}", ""])


def _escape(cell: str) -> str:
    mantissa, exponent, power = cell.partition("e")
    if exponent and _is_number(mantissa) and _is_number(power):
        return rf"${mantissa}\times 10^{{{int(power)}}}$"
    return cell.translate(_SPECIAL).replace("–", "--")


def _is_numeric(column: Sequence[str]) -> bool:
    return all(cell == "–" or _is_number(cell) for cell in column)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_SPECIAL: Mapping[int, str] = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
    }
)
