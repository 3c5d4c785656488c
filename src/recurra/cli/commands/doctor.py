"""`recurra doctor`: examine this machine for problems that slow or stop a training."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import App

from recurra.cli.options import OUTPUT, examples, flag
from recurra.errors import RecurraError
from recurra.formatting import plural
from recurra.system import optional_dependencies
from recurra.system.executable import runnable
from recurra.system.system_info import usable_cpus

EXAMPLES = examples(
    "recurra doctor",
    "recurra doctor --json",
)
LISTED_PACKAGES = (
    "numpy", "numba", "llvmlite", "safetensors", "matplotlib", "cyclopts", "rich", "platformdirs", "threadpoolctl",
    "tomli-w",
)  # fmt: skip
VECTORS = ("sse2", "sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")
OK, WARN, BAD = "ok", "warn", "bad"
VERDICT_SIGNS = {OK: "✓", WARN: "!", BAD: "✗"}
VERDICT_STYLES = {OK: "green", WARN: "yellow", BAD: "red"}
LOW_DISK_BYTES, MIN_DISK_BYTES = 2**30, 2**27  # free disk space below which doctor warns, or reports an error

app = App(name="doctor", usage="Usage: recurra doctor [--json]", help_epilogue=EXAMPLES)


class Finding(NamedTuple):
    """The result of one examination: its name, the value, the verdict and a hint."""

    name: str
    value: str
    verdict: str = OK
    hint: str = ""


@app.default
def doctor(
    *,
    json: Annotated[bool, flag("Write one JSON object to stdout instead of the list.", OUTPUT)] = False,
) -> int:
    """Examine this machine for problems that slow or stop a training.

    The list has versions, processor, libraries, the caches of compiled
    kernels and of long texts, the default book, extras and disk space. Each
    line has the status ok, warn or bad. The exit code is 1 if a line is bad.
    """
    from recurra.cli.terminal import write_json, write_text

    findings = list(examine())
    passed = all(finding.verdict != BAD for finding in findings)
    if json:
        write_json({"passed": passed, "findings": [finding._asdict() for finding in findings]})
    else:
        write_text("\n".join(lines(findings)) + "\n")
    return 0 if passed else 1


def examine() -> Iterator[Finding]:
    """Yield all findings; an examination that raises an error is a finding too."""
    yield from _versions()
    for name, examination in EXAMINATIONS:
        try:
            yield examination()
        except RecurraError as error:
            yield Finding(name, error.message, BAD, error.hint or "")
        except Exception as error:
            yield Finding(name, f"{type(error).__name__}: {error}", BAD)


def lines(findings: list[Finding]) -> Iterator[str]:
    """Yield the list: a sign, the verdict, the name and the value of each finding, with its hint below."""
    from recurra.cli.terminal import escape_for_stdout, paint, wrap

    signs = VERDICT_SIGNS if _can_show("".join(VERDICT_SIGNS.values())) else {OK: "+", WARN: "!", BAD: "x"}
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        sign = f"{signs[finding.verdict]} {finding.verdict:4}"
        line = wrap(escape_for_stdout(finding.value), sys.stdout, label=f"{sign}  {finding.name.ljust(width)}  ")
        yield paint(sign, VERDICT_STYLES[finding.verdict], sys.stdout) + line.removeprefix(sign)
        if finding.hint:
            yield wrap(escape_for_stdout(runnable(finding.hint)), sys.stdout, label=f"{' ' * (width + 10)}hint: ")
    errors, warnings = (sum(finding.verdict == verdict for finding in findings) for verdict in (BAD, WARN))
    yield f"{plural(errors, 'error')}, {plural(warnings, 'warning')}" if errors or warnings else "no problems"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, AttributeError):
        return False
    return True


def _versions() -> Iterator[Finding]:
    from importlib import metadata

    from recurra import __version__

    yield Finding("recurra", f"{__version__} in {Path(__file__).parents[2]}")
    yield Finding("Python", f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}")
    for package in LISTED_PACKAGES:
        try:
            yield Finding(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(package, "not installed", BAD, f"pip install {package}")


def _processor() -> Finding:
    import numba
    from llvmlite import binding

    config: Any = numba.config
    features = config.CPU_FEATURES or binding.get_host_cpu_features().flatten()
    vectors = [name for name in VECTORS if f"+{name}" in features.split(",")]
    name = config.CPU_NAME or binding.get_host_cpu_name()
    cores = plural(usable_cpus(), "usable core")
    value = f"{platform.machine()} {name}, {cores}, vectors: {', '.join(vectors) or 'none'}"
    if not vectors:
        return Finding(
            "processor", value, WARN, "training is several times slower on a processor without vector instructions."
        )
    return Finding("processor", value)


def _numba() -> Finding:
    import numba

    config: Any = numba.config
    if config.DISABLE_JIT:
        return Finding(
            "compiler",
            "switched off",
            WARN,
            "unset NUMBA_DISABLE_JIT; without the compiler, training is a hundred times slower.",
        )
    return Finding("compiler", "on")


def _products() -> Finding:
    from recurra.engines.kernels import gemm
    from recurra.engines.kernels.processor import choose_blocks, has_fused_multiply_add

    if not hasattr(gemm.multiply, "py_func"):
        return Finding("matrix products", "NumPy, in float64")
    blocks = choose_blocks()
    value = f"blocks of {len(blocks.rows)} × {16 * len(blocks.panels)} sums, fused multiply-adds"
    if has_fused_multiply_add():
        return Finding("matrix products", value)
    hint = "train on a processor with FMA: without this instruction, matrix products are some 15 times slower."
    return Finding("matrix products", f"{value} computed in float64", WARN, hint)


def _blas() -> Finding:
    import numpy as np  # noqa: F401 - loads the BLAS
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    if not pools:
        return Finding(
            "BLAS",
            "none found",
            WARN,
            "NumPy uses its own slow routines; install a NumPy with OpenBLAS: pip install numpy",
        )
    pool = pools[0]
    parts = [pool["internal_api"], pool.get("version"), pool.get("architecture")]
    value = f"{' '.join(part for part in parts if part)}, {pool['num_threads']} threads"
    if forced := os.environ.get("OPENBLAS_CORETYPE"):
        hint = "unset OPENBLAS_CORETYPE: a kernel for another processor can be slow or wrong."
        return Finding("BLAS", f"{value}; OPENBLAS_CORETYPE={forced}", WARN, hint)
    return Finding("BLAS", value)


def _torch() -> Finding:
    from importlib import metadata

    from recurra.engines.torch_device import TORCH_HINT, require_torch

    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding(
            "PyTorch", "not installed; needed for `--engine torch` and for several processes", OK, TORCH_HINT
        )
    cuda = require_torch().cuda
    names = [cuda.get_device_name(number) for number in range(cuda.device_count())] if cuda.is_available() else []
    return Finding("PyTorch", f"{version}, engine torch computes on {', '.join(names) or 'the CPU'}")


def _cache() -> Finding:
    from recurra.engines.kernels.disk_cache import kernel_cache
    from recurra.formatting import plural

    cache = kernel_cache()
    try:
        contents = cache.examine()
    except OSError as error:
        hint = f"set NUMBA_CACHE_DIR to a folder that you can write, or remove this one: {cache.removal}"
        return Finding("kernel cache", f"{cache.folder} cannot be used: {error.strerror or error}", WARN, hint)
    if not contents.files:
        return Finding("kernel cache", f"{cache.folder}, empty; the first training compiles the kernels")
    value = f"{cache.folder}, {plural(contents.files, 'file')}, {contents.size / 2**20:,.1f} MiB"
    if contents.damaged:
        hint = f"recurra compiles damaged files again when it needs them; to remove all files: {cache.removal}"
        return Finding("kernel cache", f"{value}, {contents.damaged} damaged", WARN, hint)
    return Finding("kernel cache", value)


def _texts() -> Finding:
    from recurra.text.id_file import IDS_SUFFIX, cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            sizes = [path.stat().st_size for path in folder.glob(f"*{IDS_SUFFIX}")]
    except OSError as error:
        hint = "set XDG_CACHE_HOME to a folder that you can write; long texts need the cache."
        return Finding("text cache", f"{folder} cannot be used: {error.strerror or error}", WARN, hint)
    content = f"{sum(sizes) / 2**30:,.1f} GiB of recently used long texts" if sizes else "empty"
    return Finding("text cache", f"{folder}, {content}")


def _book() -> Finding:
    from recurra.text.named_books import INSTALL_HINT, default_book

    book = default_book()
    value = f"{book.name}, {len(book):,} characters, sha256 {book.sha256[:12]}"
    if book.name != "kjv":
        return Finding("default book", value, WARN, f"the King James Bible is not installed: {INSTALL_HINT}")
    return Finding("default book", value)


def _extras() -> Finding:
    absent = [extra for extra in optional_dependencies.PACKAGES if optional_dependencies.missing(extra)]
    value = ", ".join(extra for extra in optional_dependencies.PACKAGES if extra not in absent) or "none"
    hint = f"{optional_dependencies.install(absent[0])} adds {absent[0]}." if absent else ""
    return Finding("extras", value + (f"; not installed: {', '.join(absent)}" if absent else ""), OK, hint)


def _disk() -> Finding:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    value = f"{free / 2**30:,.1f} GiB free in {here}"
    if not os.access(here, os.W_OK):
        return Finding(
            "disk", f"{here} is not writable", WARN, "change to another folder, or give `--run` a path elsewhere."
        )
    if free < LOW_DISK_BYTES:
        hint = "checkpoints need space; give `--run` a path on another disk."
        return Finding("disk", value, BAD if free < MIN_DISK_BYTES else WARN, hint)
    return Finding("disk", value)


EXAMINATIONS: tuple[tuple[str, Callable[[], Finding]], ...] = (
    ("processor", _processor),
    ("compiler", _numba),
    ("matrix products", _products),
    ("BLAS", _blas),
    ("PyTorch", _torch),
    ("kernel cache", _cache),
    ("text cache", _texts),
    ("default book", _book),
    ("extras", _extras),
    ("disk", _disk),
)
