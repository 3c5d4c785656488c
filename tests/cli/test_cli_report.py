"""`recurra report`: the paths of pages and figures."""

from pathlib import Path

from calling import Call


def test_one_run_has_its_report_in_its_folder(call: Call, trained: Path) -> None:
    before = (trained / "report.html").read_bytes()
    assert call("report", trained) == (0, f"{trained}/report.html\n", "")
    assert (trained / "report.html").read_bytes() == before, "the same folder gives the same bytes"


def test_several_runs_and_figures(call: Call, trained: Path) -> None:
    code, out, err = call("report", trained, trained, "--figures", "figures", "--format", "svg")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["report.html", "figures/smooth-loss.svg", "figures/bits-per-character.svg"]
    assert all(Path(name).stat().st_size > 1000 for name in out.splitlines())


def test_output_and_the_usual_format(call: Call, trained: Path) -> None:
    code, out, _ = call("report", trained, "-o", "pages/one.html", "--figures", "figures")
    assert code == 0
    assert out.splitlines()[0] == "pages/one.html"
    assert Path("figures/smooth-loss.pdf").read_bytes().startswith(b"%PDF")


def test_report_to_unwritable_path(call: Call, trained: Path) -> None:
    Path("file").touch()
    code, out, err = call("report", trained, "-o", "file/report.html")
    assert (code, out) == (7, "")
    assert err.startswith("error: cannot write `file/report.html`: ")
