"""The package as a stranger gets it: built, installed without the source tree, and used, with each extra in turn.

python release/check.py            all of it, into dist/: sdist, wheel, sbom.json
python release/check.py --extras base onnx
python release/check.py --pythons python3.12 /opt/python3.14/bin/python
python release/check.py --tag v0.1.0          the tag must name the version, and CHANGELOG.md the date of its release

The base is used with every Python of `--pythons` that is there (else 3.11 to 3.14 on the PATH), and trains the
same bits with each; the extras with the Python that runs this program, whose packages with the base sbom.json lists.
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
# What is run with each extra, and whether it must succeed: 0, or the exit code where the extra is missing.
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
STOPPED = 143  # by SIGTERM


def run(*line: str | Path, folder: Path = ROOT, expected: int = 0) -> None:
    """A command; SystemExit with what it wrote where it ends otherwise than expected."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    words = [str(word) for word in line]
    done = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    if done.returncode != expected:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}, not {expected}\n{done.stdout}{done.stderr}")


def build() -> Path:
    """sdist and wheel in dist/, from a clean start; the wheel's content is looked at."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST)
    wheel = next(DIST.glob("*.whl"))
    run(Path(sys.executable).with_name("check-wheel-contents"), wheel)
    return wheel


def require_tag(tag: str, version: str, changelog: str) -> None:
    """Raise SystemExit unless `tag` names `version`, and the newest section of `changelog` too, with a date."""
    if tag != f"v{version}":
        raise SystemExit(f"the tag {tag!r} does not name the version {version}; expected v{version}.")
    heading = next((line for line in changelog.splitlines() if line.startswith("## ")), "")
    if not re.fullmatch(rf"## {re.escape(version)} - \d{{4}}-\d\d-\d\d", heading):
        raise SystemExit(
            f"CHANGELOG.md begins with {heading!r}; expected '## {version} - ' and the date of the release."
        )


def serve(recurra: Path, folder: Path) -> None:
    """Start a server, ask it, and stop it."""
    with subprocess.Popen([recurra, "serve", "run", "--port", "0"], cwd=folder, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().decode().strip()
            with urllib.request.urlopen(f"{url}/v1/models") as answer:
                found = answer.read()
        finally:
            server.terminate()
    if server.returncode != STOPPED or b'"id":"run"' not in found:
        raise SystemExit(f"recurra serve: exit code {server.returncode}, not {STOPPED}; it told {found!r}")


def version(python: str) -> str | None:
    """`3.12`, of a Python that runs here; None of any other command."""
    told = "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')"
    try:
        done = subprocess.run([python, "-c", told], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # not there, or a name that a version manager keeps for it
        return None
    return done.stdout.strip()


def others(pythons: list[str]) -> dict[str, str]:
    """Version and command of the Pythons that are not this one."""
    found = {told: python for python in pythons if (told := version(python)) is not None}
    found.pop(version(sys.executable) or "", None)
    return found


def use(wheel: Path, extra: str, python: str = sys.executable) -> str:
    """Install the wheel in a fresh environment of `python`, away from the source, and use it: its model's sha256."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        environment = folder / "environment"
        run(python, "-m", "venv", environment)
        inside, recurra = environment / "bin/python", environment / "bin/recurra"
        wanted = str(wheel) if extra == "base" else f"{wheel}[{extra}]"
        run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted, folder=folder)
        (folder / "book.txt").write_text(BOOK, encoding="utf-8")
        for words, expected in USES[extra]:
            run(recurra, *words.split(), folder=folder, expected=expected)
        if extra == "serve":
            serve(recurra, folder)
        if extra == "base":
            if (folder / "back.txt").read_bytes() != BOOK.encode():
                raise SystemExit("the decompressed text is another one.")
            run(Path(sys.executable).with_name("cyclonedx-py"), "environment", inside, "-o", DIST / "sbom.json")
        return str(json.loads((folder / "run/summary.json").read_text(encoding="utf-8"))["model_sha256"])


def main() -> None:
    """Build, then use with each extra."""
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
        raise SystemExit(f"not the same bits: {trained}")
    if "base" in options.extras:
        print("inventory     dist/sbom.json")


if __name__ == "__main__":
    main()
