"""What the browser gets of ours: the modules of web/ as one script, and style sheets.

The script is made of the modules, each after those that it imports, without their import and export words; so their
top-level names must differ, which a test looks after. One script can stand in a page that is opened from a file, where
modules cannot be loaded, and its hash can stand in the page's security policy.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z]+\.js)";\n', re.MULTILINE)


@cache
def asset(name: str) -> str:
    """The text of a file of web/."""
    return (files("recurra.report") / "web" / name).read_text(encoding="utf-8")


@cache
def script(entry: str) -> str:
    """The module `entry` and all that it imports, as one script of type module."""
    return "\n".join(re.sub(r"^export ", "", _IMPORT.sub("", asset(name)), flags=re.MULTILINE) for name in order(entry))


def order(entry: str) -> list[str]:
    """The modules that `entry` needs, each after those that it imports itself; `entry` is the last."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        for imported in _IMPORT.findall(asset(name)):
            if imported not in found:
                visit(imported)
        found[name] = None

    visit(entry)
    return list(found)


def policy_hash(text: str) -> str:
    """What a security policy calls a script that stands in the page: 'sha256-…'."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
