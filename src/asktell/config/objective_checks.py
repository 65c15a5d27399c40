"""Checks of the `evaluate` section against what lies beside the study file. Nothing is imported or run."""

from __future__ import annotations

import ast
import importlib.util
import re
import string
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from asktell.config.checks import expression_fault
from asktell.config.faults import Fault, did_you_mean
from asktell.config.models import EvaluateConfig, StudyConfig

PLACEHOLDERS = frozenset({"trial", "attempt", "directory", "checkpoint", "folder", "python"})
"""What a command or a template may name beside the parameters."""

_ARRAY_FILE = re.compile(r".+\.(npy|npz|nc)(\[[^\[\]]+\])?")
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What an evaluation is given. conditional: parameters that some trials do not have."""

    parameters: Collection[str]
    conditional: Collection[str]


def check_evaluate(config: StudyConfig, parameters: Collection[str]) -> Iterator[Fault]:
    """Faults of the `evaluate` section; `parameters` as for `check_study`."""
    evaluate = config.evaluate
    inputs = _Inputs(parameters, [name for name, item in config.space.items() if item.when])
    for index, text in enumerate(evaluate.valid):
        if (fault := expression_fault(text, ("evaluate", "valid", index))) is not None:
            yield fault
    if evaluate.call is not None and evaluate.command is not None:
        yield Fault(("evaluate", "command"), "there is a call, too", "keep one of call and command")
    elif evaluate.call is not None:
        yield from _check_call(evaluate, inputs)
    elif evaluate.command is not None:
        yield from _check_command(evaluate, inputs)
        yield from _check_results(config)
    else:
        remedy = "write call: objective.py:evaluate, or command: [program, argument, ...]"
        yield Fault(("evaluate",), "says neither call nor command", remedy)
    yield from _check_templates(evaluate, inputs)


def _check_call(evaluate: EvaluateConfig, inputs: _Inputs) -> Iterator[Fault]:
    path = ("evaluate", "call")
    module, colon, function = (evaluate.call or "").rpartition(":")
    is_file = module.endswith(".py")
    is_module = all(part.isidentifier() for part in module.split("."))
    if not colon or not function.isidentifier() or not (is_file or is_module):
        message = f"{evaluate.call!r} names no function"
        yield Fault(path, message, "write objective.py:evaluate or package.module:function")
        return
    if evaluate.isolation == "none" and (evaluate.timeout_s or evaluate.memory_bytes):
        message = "none can keep neither timeout nor memory limit"
        yield Fault(("evaluate", "isolation"), message, "use fork or fresh, or drop the limits")
    if evaluate.isolation == "none" and evaluate.checkpoint_signal is not None:
        message = "none has no process that a checkpoint_signal could reach"
        yield Fault(("evaluate", "isolation"), message, "use fork or fresh, or drop the signal")
    file = evaluate.folder / (module if is_file else f"{module.replace('.', '/')}.py")
    if file.is_file():
        yield from _check_function(file, function, inputs)
    elif is_file:
        beside = [item.name for item in evaluate.folder.glob("*.py")]
        yield Fault(
            path, f"there is no file {file}", did_you_mean(module, beside, "create it, or correct its name")
        )
    else:
        top = module.partition(".")[0]
        if (
            not (evaluate.folder / top).is_dir()
            and top not in sys.modules
            and importlib.util.find_spec(top) is None
        ):
            yield Fault(path, f"there is no module {top!r} here", "install it, or correct its name")


def _check_function(file: Path, function: str, inputs: _Inputs) -> Iterator[Fault]:
    path = ("evaluate", "call")
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Fault(path, f"{file}:{line}: {getattr(error, 'msg', error)}", "correct the file")
        return
    names = dict(_top_level_names(tree.body))
    if function not in names:
        functions = [name for name, node in names.items() if isinstance(node, _Function)]
        if "*" in names:
            return
        otherwise = f"it defines {', '.join(functions)}" if functions else "define it"
        yield Fault(path, f"{file} defines no {function!r}", did_you_mean(function, functions, otherwise))
        return
    match names[function]:
        case ast.AsyncFunctionDef():
            yield Fault(path, f"{function} is async", "write a plain def")
        case ast.FunctionDef(decorator_list=[]) | ast.Lambda() as node:
            yield from _check_signature(function, node.args, inputs)


def _top_level_names(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """(name, what it is bound to) in a module, if, try and with included; ('*', ...) for a star import."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
            case ast.Import() | ast.ImportFrom():
                yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
            case ast.Assign(targets=targets, value=value):
                yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.If() | ast.Try() | ast.With():
                for part in ("body", "orelse", "finalbody"):
                    yield from _top_level_names(getattr(node, part, []))
                for handler in getattr(node, "handlers", []):
                    yield from _top_level_names(handler.body)


def _check_signature(function: str, args: ast.arguments, inputs: _Inputs) -> Iterator[Fault]:
    path = ("evaluate", "call")
    plain = [arg.arg for arg in args.args]
    keyword_only = [arg.arg for arg in args.kwonlyargs]
    required = set(plain[: len(plain) - len(args.defaults)])
    required |= {
        name for name, default in zip(keyword_only, args.kw_defaults, strict=True) if default is None
    }
    if args.posonlyargs:
        yield Fault(path, f"{function} takes arguments by position only", "remove the '/': they come by name")
        return
    if args.kwarg is None:
        for name in inputs.parameters:
            if name not in {*plain, *keyword_only}:
                remedy = f"write def {function}(..., {name}), or **parameters to take any"
                yield Fault(path, f"{function} does not take the parameter {name!r}", remedy)
    for name in sorted(required - set(inputs.parameters)):
        remedy = did_you_mean(name, inputs.parameters, f"add it to space, or give it a default: {name}=...")
        yield Fault(path, f"{function} needs {name!r}, which is no parameter", remedy)
    for name in sorted(required & set(inputs.conditional)):
        message = f"{function} needs {name!r}, which some trials do not have (its `when`)"
        yield Fault(path, message, f"give it a default: {name}=None")


def _check_command(evaluate: EvaluateConfig, inputs: _Inputs) -> Iterator[Fault]:
    path = ("evaluate", "command")
    command = evaluate.command
    if isinstance(command, str) and not evaluate.shell:
        words = ", ".join(command.split())
        yield Fault(path, "is one text, but shell is false", f"write a list: [{words}], or add shell: true")
    if isinstance(command, list) and evaluate.shell:
        yield Fault(path, "is a list, but shell is true", "write one text, or drop shell")
    if not command:
        yield Fault(path, "is empty", "write [program, argument, ...]")
    known = [*inputs.parameters, *PLACEHOLDERS]
    for text in [command] if isinstance(command, str) else command or []:
        try:
            placeholders = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        except ValueError as error:
            yield Fault(path, f"{text!r}: {str(error).lower()}", "write {{ and }} for braces that are meant")
            continue
        for name in sorted(placeholders - set(known)):
            remedy = did_you_mean(
                name, known, "add it to space, or write {{ and }} for braces that are meant"
            )
            yield Fault(path, f"{{{name}}} is no parameter", remedy)
        for name in sorted(placeholders & set(inputs.conditional)):
            yield _inactive(path, f"{{{name}}}", name)
    for name in sorted(PLACEHOLDERS & set(inputs.parameters)):
        yield Fault(("space", name), f"{{{name}}} means something else in a command", "rename the parameter")


def _check_results(config: StudyConfig) -> Iterator[Fault]:
    result = config.evaluate.result
    path = ("evaluate", "result")
    for name, pattern in result.stdout.items():
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            yield Fault(
                (*path, "stdout", name), f"{pattern!r} is no regular expression: {error}", "correct it"
            )
            continue
        if groups != 1:
            message = f"{pattern!r} has {groups or 'no'} groups"
            remedy = r"put the number, and only it, in ( ): gain = (\S+); (?: ) groups without counting"
            yield Fault((*path, "stdout", name), message, remedy)
    for name, file in result.arrays.items():
        if _ARRAY_FILE.fullmatch(file) is None:
            yield Fault((*path, "arrays", name), f"{file!r} is no file of arrays", "use .npy, .npz or .nc")
    if result.json_file is None:
        for name in config.objectives.keys() - result.stdout.keys():
            remedy = did_you_mean(name, result.stdout, f"add {name} to result.stdout, or name a json file")
            yield Fault(("objectives", name), "nothing in evaluate.result gives it", remedy)


def _check_templates(evaluate: EvaluateConfig, inputs: _Inputs) -> Iterator[Fault]:
    rendered: dict[str, str] = {"params.json": "the parameters", "stdout": "the log", "stderr": "the log"}
    for index, name in enumerate(evaluate.templates):
        path = ("evaluate", "templates", index)
        file = evaluate.folder / name
        target = re.sub(r"\.(j2|jinja2?)$", "", Path(name).name)
        if target in rendered:
            yield Fault(path, f"{target} is written from {rendered[target]} already", "rename the template")
        rendered[target] = name
        if not file.is_file():
            beside = [item.name for item in evaluate.folder.iterdir()] if evaluate.folder.is_dir() else []
            remedy = did_you_mean(name, beside, "create it, or correct its name")
            yield Fault(path, f"there is no file {file}", remedy)
            continue
        yield from _check_template(file, inputs, path)


def _check_template(file: Path, inputs: _Inputs, path: tuple[str | int, ...]) -> Iterator[Fault]:
    import jinja2.meta  # only studies with templates pay for it
    from jinja2 import nodes

    environment = jinja2.Environment()
    try:
        tree = environment.parse(file.read_text(encoding="utf-8"))
    except jinja2.TemplateSyntaxError as error:
        yield Fault(path, f"{file}:{error.lineno}: {error.message}", "correct the template")
        return
    except UnicodeDecodeError:
        yield Fault(path, f"{file} is not UTF-8 text", "save it as UTF-8")
        return
    known = [*inputs.parameters, *PLACEHOLDERS]
    for name in sorted(jinja2.meta.find_undeclared_variables(tree) - set(known)):
        remedy = did_you_mean(name, known, "add it to space, or set it in the template")
        yield Fault(path, f"{file} uses {name!r}, which is no parameter", remedy)
    # A bare {{ t }} outside every block is rendered in each trial, unless a name may come from elsewhere.
    elsewhere = (
        nodes.Assign,
        nodes.AssignBlock,
        nodes.Extends,
        nodes.FromImport,
        nodes.Import,
        nodes.Include,
        nodes.Macro,
    )
    if not any(tree.find_all(elsewhere)):
        outputs = [part for node in tree.body if isinstance(node, nodes.Output) for part in node.nodes]
        bare = {part.name for part in outputs if isinstance(part, nodes.Name)}
        for name in sorted(bare & set(inputs.conditional)):
            yield _inactive(path, f"{file} uses {name!r}, which", name)


def _inactive(path: tuple[str | int, ...], what: str, name: str) -> Fault:
    remedy = f"use a template with {{% if {name} is defined %}}"
    return Fault(path, f"{what} is inactive in some trials (its `when`)", remedy)
