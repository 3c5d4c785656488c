"""The package's page on PyPI: the README, with images and links that work without the repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = "42.0"  # the version that the program below fills in
FILES = re.compile(
    rf"https://(?:github\.com/recurra/recurra/blob|raw\.githubusercontent\.com/recurra/recurra)/v{VERSION}/"
)
EXAMPLES = """\
![picture](docs/images/page.png) [![badge](https://a.example/b.svg)](docs/start.md) <img src="docs/images/page.png">
[the start](docs/start.md#install), [`CHANGELOG.md`](CHANGELOG.md), `docs/howto/score.md` and `SECURITY.md`
[below](#limits) [elsewhere](https://a.example/docs) `src/recurra/model.py` `runs/demo/report.html`
"""


def page(folder: Path) -> str:
    """Return the description that the package of `folder` has."""
    line = [sys.executable, "-m", "hatch_fancy_pypi_readme"]
    return subprocess.run(line, cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout


def targets(text: str) -> list[str]:
    """Return the addresses of the images and links in Markdown or HTML, without those to a place on the page."""
    found = re.findall(r"\]\(([^)\s]*)", text) + re.findall(r"\b(?:src|srcset|href)=\"([^\"]*)", text)
    return [target for target in found if not target.startswith("#")]


def test_every_image_and_link_of_the_readme_is_absolute_and_exists() -> None:
    found = targets(page(ROOT))
    assert [target for target in found if not target.startswith("https://")] == []
    files = [FILES.sub("", target).partition("#")[0] for target in found if FILES.match(target)]
    assert "docs/images/page.png" in files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_each_form_of_link_becomes_absolute(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(EXAMPLES, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    text = page(tmp_path)
    assert [FILES.sub("/", target) for target in targets(text)] == [
        "/docs/images/page.png",
        "https://a.example/b.svg",
        "/docs/start.md",
        "/docs/start.md#install",
        "/CHANGELOG.md",
        "/docs/howto/score.md",
        "/SECURITY.md",
        "https://a.example/docs",
        "/docs/images/page.png",
    ]
    assert text.splitlines()[2] == EXAMPLES.splitlines()[2]


@pytest.mark.parametrize("broken", ["![](docs/images/page.png)", '<img src="a.png">', "[a](b.md)"])
def test_relative_link_is_reported(broken: str) -> None:
    assert targets(broken)[0] in broken
    assert not targets(broken)[0].startswith("https://")
