"""The pages that are made from the code: commands, settings, presets, and the map of the modules."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import typing
from pathlib import Path
from unittest import mock

from cyclopts import Group
from cyclopts.argument import Argument

import recurra
from recurra.cli import main
from recurra.cli.command_line import COMMANDS, build
from recurra.config import NONE, ModelConfig, Setting, TrainingConfig, presets
from recurra.config.declaration import OneOf, declared

SOURCE = Path(recurra.__file__).parent
COLUMNS = "88"


def write_pages(folder: Path) -> None:
    """Write every page into `folder`."""
    folder.mkdir(exist_ok=True)
    pages = {"commands": commands(), "settings": settings(), "map": module_map()}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def commands() -> str:
    """Return every command with its options, each with an anchor, and the help page that a user sees."""
    parts = ["# Commands\n\nEvery option has a link of its own: point at it and follow the sign at its end.\n"]
    application = build()
    for name in COMMANDS:
        about = inspect.getdoc(application[name].default_command) or ""
        page = help_of(name)
        parts.append(f"## recurra {name}\n\n{markdown(about)}\n\n```{{program}} recurra {name}\n```\n")
        arguments = [one for one in application[name].assemble_argument_collection() if one.parameter.show is not False]
        for title in re.findall(r"^╭─ (.+?) ─+╮$", page, re.MULTILINE):
            entries = [option(one) for one in arguments if title in {group.name for group in groups(one)}]
            parts += [f"```{{rubric}} {title}\n```\n", *entries] if entries else []
        parts.append(f"<details><summary>The same as a help page</summary>\n\n```text\n{page}\n```\n\n</details>\n")
    return "\n".join(parts)


def groups(argument: Argument) -> tuple[Group, ...]:
    """Return the groups of the help page in which an option is."""
    return tuple(group for group in argument.parameter.group or () if isinstance(group, Group))


def option(argument: Argument) -> str:
    """Return the entry of an option or an argument: its names, its value, its help and its default."""
    parameter = argument.parameter
    is_flag = argument.hint is bool
    value = "" if is_flag or not argument.name.startswith("-") else f" {parameter.metavar or hint_name(argument.hint)}"
    default = f" Default: {markdown(parameter.show_default)}." if isinstance(parameter.show_default, str) else ""
    names = ", ".join(name + value for name in argument.names)
    return f"```{{option}} {names}\n{markdown(parameter.help or '')}{default}\n```\n"


def hint_name(hint: object) -> str:
    """Return the kind of value in capitals, as the help page has it: `int | None` is INT, `list[str]` is STR..."""
    kinds = [kind for kind in typing.get_args(hint) if isinstance(kind, type)]
    if typing.get_origin(hint) in (list, tuple):
        return f"{hint_name(kinds[0])}..."
    if isinstance(hint, type):
        return {str: "STR", int: "INT", float: "FLOAT", Path: "PATH"}[hint]
    return hint_name(next(kind for kind in typing.get_args(hint) if kind is not type(None)))


def markdown(words: str) -> str:
    """Return plain words as Markdown: options become code, and no character outside of code is a sign of Markdown."""
    parts = re.split(r"(`[^`]*`)", words)
    for place in range(0, len(parts), 2):
        found = re.sub(r"([\\\\*_\[\]<>$])", r"\\\1", parts[place])
        parts[place] = re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", found)
    return "".join(parts)


def help_of(command: str) -> str:
    """Return the help page of a command, as `recurra COMMAND --help` prints it."""
    shown = io.StringIO()
    plain = {"COLUMNS": COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
    with mock.patch.dict(os.environ, plain), contextlib.redirect_stdout(shown):
        main([command, "--help"])
    return "\n".join(line.rstrip() for line in shown.getvalue().strip().splitlines())


def settings() -> str:
    """Return the settings of both configurations as they are declared, and the settings of each preset."""
    parts = ["# Settings\n"]
    for config in (ModelConfig, TrainingConfig):
        rows = [_row(setting) for setting in declared(config).values()]
        parts.append(f"## {config.__name__}\n\n{_table(HEADER, rows)}")
        parts.append(f"```text\n{inspect.cleandoc(config.__doc__ or '')}\n```\n")
    changes = [
        (f"`{name}`", ", ".join(f"`{key}={value}`" for key, value in preset.items()) or "the defaults above")
        for name, preset in presets.PRESETS.items()
    ]
    parts.append(f"## Presets\n\n{_table(('preset', 'what it sets'), changes)}")
    return "\n".join(parts)


HEADER = ("setting", "meaning", "values", "default", "when a run is resumed")


def _row(setting: Setting) -> tuple[str, ...]:
    """Return the row of a setting: name with an anchor, option, meaning, values, default and resume rule."""
    option = f"{{option}}`{setting.option} <recurra train {setting.option}>`"
    name = f'<a id="{setting.name}"></a>`{setting.name}`, {option}'
    return (
        name,
        f"{setting.help}.",
        _values(setting),
        _default(setting),
        f"cannot change: {setting.fixed}" if setting.fixed else "may change",
    )


def _values(setting: Setting) -> str:
    """Return the allowed values: names, or a range with its unit."""
    if isinstance(setting.values, OneOf):
        return ", ".join(f"`{name}`" for name in setting.values.names)
    unit = f" {setting.unit}" if setting.unit else ""
    return f"{setting.values.shown}{unit}{', or `none`' if setting.takes_none else ''}"


def _default(setting: Setting) -> str:
    """Return the default, and the presets that have another."""
    others = [
        f"{name}: `{_shown(preset[setting.name])}`"
        for name, preset in presets.PRESETS.items()
        if setting.name in preset
    ]
    default = setting.default_words or f"`{_shown(setting.default)}`"
    return f"{default} ({', '.join(others)})" if others else default


def _shown(value: object) -> object:
    return NONE if value is None else value


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def module_map() -> str:
    """Return every module with the first line of its docstring, package by package."""
    parts = ["# Every module in a line\n"]
    packages = {path.parent for path in SOURCE.rglob("*.py")}
    for package in sorted(packages, key=lambda package: (len(package.parts), str(package))):
        modules = sorted(package.glob("*.py"))
        rows = [(f"`{path.name}`", line) for path in modules if (line := first_line(path))]
        if rows:
            name = "recurra" if package == SOURCE else f"recurra/{package.relative_to(SOURCE)}"
            parts.append(f"## {name}\n\n{_table(('module', 'what it is'), rows)}")
    return "\n".join(parts)


def first_line(path: Path) -> str:
    """Return the first paragraph of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).replace("|", "\\|")
