"""Build the package, install it without the source tree, and use it, with each extra in turn.

python release/check.py            check all extras; write sdist, wheel and sbom.json to dist/
python release/check.py --extras base onnx
python release/check.py --pythons python3.12 /opt/python3.14/bin/python
python release/check.py --tag v0.1.0          check that the tag names the version, and CHANGELOG.md the release date

The check uses the base package with every installed Python of `--pythons` (default: 3.11 to 3.14 on the PATH); each
must train a model with the same bits. It uses the extras with the Python that runs this program. sbom.json lists the
packages of the base installation.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
BOOK = "In the beginning was a small book, and God said: let it be read, and read again.\n" * 60
TRAIN = "train book.txt --preset classic --updates 60 --hidden-size 12 --run run"
# The commands to run with each extra, with the expected exit code: 2 if the command needs another extra.
USES: dict[str, list[tuple[str, int]]] = {
    "base": [
        ("--version", 0),
        (f"{TRAIN} --json", 0),
        ("train --resume --run run --updates 80", 0),
        ("sample run --prompt God --max-new-tokens 40 --novelty", 0),
        ("score run book.txt --baselines", 0),
        ("compress run book.txt", 0),
        ("decompress run book.txt.rcra -o back.txt", 0),
        ("report run -o report.html", 0),
        ("export run --format torch -o model.safetensors", 0),
        ("import model.safetensors -o mine", 0),
        ("check --preset classic", 0),
        ("export run --format onnx -o model.onnx", 2),
        ("export run --format matlab -o model.mat", 2),
        ("serve run", 2),
        ("doctor", 0),
    ],
    "books": [("train kjv --preset classic --updates 60 --run run", 0)],
    "onnx": [(TRAIN, 0), ("export run --format onnx -o model.onnx", 0)],
    "matlab": [(TRAIN, 0), ("export run --format matlab -o model.mat", 0)],
    "serve": [(TRAIN, 0), ("serve run --host 192.0.2.7", 2)],
}
PYTHONS = [f"python3.{minor}" for minor in range(11, 15)]
SIGTERM_EXIT_CODE = 143


def run(*line: str | Path, folder: Path = ROOT, expected: int = 0) -> None:
    """Run a command; raise SystemExit with its output if its exit code is not `expected`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    words = [str(word) for word in line]
    done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}, not {expected}\n{done.stdout}{done.stderr}")


def build() -> Path:
    """Empty dist/, build sdist and wheel there, and check the content of the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST)
    wheel = next(DIST.glob("*.whl"))
    run(Path(sys.executable).with_name("check-wheel-contents"), wheel)
    return wheel


def require_tag(tag: str, version: str, changelog: str) -> None:
    """Raise SystemExit unless `tag` names `version`, and `changelog` begins with a section of `version` and a date."""
    if tag != f"v{version}":
        raise SystemExit(f"the tag {tag!r} does not name the version {version}; expected v{version}.")
    heading = next((line for line in changelog.splitlines() if line.startswith("## ")), "")
    if not re.fullmatch(rf"## {re.escape(version)} - \d{{4}}-\d\d-\d\d", heading):
        raise SystemExit(
            f"CHANGELOG.md begins with {heading!r}; expected '## {version} - ' and the date of the release."
        )


def serve(recurra: Path, folder: Path) -> None:
    """Start a server, request its models, and stop it."""
    with subprocess.Popen([recurra, "serve", "run", "--port", "0"], cwd=folder, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().decode().strip()
            with urllib.request.urlopen(f"{url}/v1/models") as answer:
                models = answer.read()
        finally:
            server.terminate()
    if server.returncode != SIGTERM_EXIT_CODE or b'"id":"run"' not in models:
        raise SystemExit(f"recurra serve: exit code {server.returncode}, not {SIGTERM_EXIT_CODE}; models {models!r}")


def version(python: str) -> str | None:
    """Return the version of a Python command, such as `3.12`; None if the command does not run Python."""
    code = "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # not installed, or only a placeholder of a version manager
        return None
    return done.stdout.strip()


def others(pythons: list[str]) -> dict[str, str]:
    """Return version → command of the installed Pythons with another version than this one."""
    commands = {number: python for python in pythons if (number := version(python)) is not None}
    commands.pop(version(sys.executable) or "", None)
    return commands


def use(wheel: Path, extra: str, python: str = sys.executable) -> str:
    """Install the wheel in a new environment of `python` and run its commands; return the sha256 of the model."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = folder / "environment"
        run(python, "-m", "venv", environment)
        inside, recurra = environment / "bin/python", environment / "bin/recurra"
        package = str(wheel) if extra == "base" else f"{wheel}[{extra}]"
        run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package, folder=folder)
        (folder / "book.txt").write_text(BOOK, encoding="utf-8")
        for words, expected in USES[extra]:
            run(recurra, *words.split(), folder=folder, expected=expected)
        if extra == "serve":
            serve(recurra, folder)
        if extra == "base":
            if (folder / "back.txt").read_bytes() != BOOK.encode():
                raise SystemExit("the decompressed text differs from book.txt.")
            run(Path(sys.executable).with_name("cyclonedx-py"), "environment", inside, "-o", DIST / "sbom.json")
        return str(json.loads((folder / "run/summary.json").read_text(encoding="utf-8"))["model_sha256"])


def main() -> None:
    """Build the package and check it with each extra."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", nargs="+", default=list(USES), choices=list(USES))
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, metavar="COMMAND")
    parser.add_argument("--tag", help="the tag of a release, such as v0.1.0")
    options = parser.parse_args()
    wheel = build()
    if options.tag is not None:
        require_tag(options.tag, wheel.name.split("-")[1], (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    print(f"built         {wheel.name}", flush=True)
    trained = {}
    for number, python in others(options.pythons).items():
        trained[number] = use(wheel, "base", python)
        print(f"works with    Python {number}", flush=True)
    for extra in options.extras:
        bits = use(wheel, extra)
        if extra == "base":
            trained[f"{version(sys.executable)}"] = bits
        print(f"works with    {extra}", flush=True)
    if len(set(trained.values())) > 1:
        raise SystemExit(f"the Python versions train models with different bits: {trained}")
    if "base" in options.extras:
        print("inventory     dist/sbom.json")


if __name__ == "__main__":
    main()
