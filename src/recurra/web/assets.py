"""The files in static/ for the browser: the JavaScript modules as one script, and style sheets.

In the script every module becomes a function that returns its exports, after the modules that it imports. A page
that is opened from a file cannot load modules, but it can contain one script. Its security policy has the hash of that
script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|function) (\w+))", re.MULTILINE)


@cache
def asset(name: str) -> str:
    """Return the text of a file in static/."""
    return (files("recurra.web") / "static" / name).read_text(encoding="utf-8")


@cache
def script(entry: str) -> str:
    """Return the module `entry`, NAME.js, and all its imports as one script of type module."""
    return "\n".join(["const modules = {};", *map(_wrapped, order(entry))])


def _wrapped(name: str) -> str:
    code = asset(name)
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = modules.\2;\n", code))
    exported = ", ".join(_EXPORT.findall(code))
    return f"modules.{name.removesuffix('.js')} = (() => {{\n{body}return {{ {exported} }};\n}})();"


def order(entry: str) -> list[str]:
    """Return the modules that `entry` imports, each after its own imports, and `entry` as the last one."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for _, imported in _IMPORT.findall(asset(name)):
            if f"{imported}.js" not in ordered:
                visit(f"{imported}.js")
        ordered[name] = None

    visit(entry)
    return list(ordered)


def policy_hash(text: str) -> str:
    """Return the source expression for an inline script in a security policy: 'sha256-…'."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
