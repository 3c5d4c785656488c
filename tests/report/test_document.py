"""The report page: complete, without external resources, and without active content from a network."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from recurra.errors import ModelError, StorageError, UsageError
from recurra.report.document import write_report
from recurra.web.assets import policy_hash, script
from run_folder import MakeRun, lines, write_run

VOID = {"meta", "br", "hr"}
SECTIONS = [
    "Try the network",
    "1. Gradient check",
    "2. Smooth loss",
    "3. Samples during training",
    "4. Final and best model",
    "Passages copied from the text",
    "Held-out text, character by character",
    "Inside the network",
    "Comparison with baselines",
    "Settings, text and machine",
]


class Page(HTMLParser):
    """The tags, text, addresses and identifiers of a page; parsing fails if tags do not pair."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs)["type"] or "", ""))
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "aria-labelledby"):
                self.references.append((value or "").removeprefix("#"))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], data)
        else:
            self.text += data

    def only_our_script(self) -> bool:
        """Return True if only the script of the report can run and the data cannot start or end an element."""
        run = [(kind, code) for kind, code in self.scripts if kind not in ("application/json", "text/plain")]
        data = [code for kind, code in self.scripts if kind in ("application/json", "text/plain")]
        return run == [("module", script("report.js"))] and not any("<" in code for code in data)


def report(folders: list[Path], output: Path) -> tuple[str, Page]:
    path = write_report(folders, output)
    assert path == output
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    """The report of a complete run."""
    directory = tmp_path_factory.mktemp("whole")
    return report([write_run(directory / "fable")], directory / "report.html")


def test_report_has_every_section_in_order(whole: tuple[str, Page]) -> None:
    text, page = whole
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert headings == SECTIONS
    assert page.tags.count("h1") == 1
    assert page.tags.count("svg") == 2
    assert page.tags.count("table") == page.tags.count("caption")


@pytest.mark.parametrize(
    "words",
    [
        "This vanilla recurrent network of 100 units was trained on fable (50,001 characters, 60 symbols in the ",
        "After 4,000 updates the smooth loss, a moving average of the training loss, is 52.50 nats per 25 characters, "
        "which is 3.030 bits per character; its lowest value was 48.25 at update 3,000.",
        "agree with numerical ones; the largest relative error is 4.0\u00a0×\u00a010−15.",
        "The training took 75 s, at 15,000 updates per second.",
        "c6.0\u00a0×\u00a010−91\u00a0×\u00a010−5",
        "✓ agrees",
        "Before the first update",
        "After 2,000 updates temperature 1And so\n  the fox",
        "Final4,0002.0052.50003.030",
        "Best3,0001.5048.25002.784",
        "The best passage <i>of all</i>",
        "this network2.885",
        "gzip −92.750",
        "22.0002.885",
        "Why not compare the lowest smooth loss?",
        "In this run the minimum is in epoch 2, after 50% of the text.",
        "would add 18.099 bits per character",
        "sha256c0ffee",
        "CRLF became LF; the vocabulary is",
        "peak memory100 MiB",
    ],
)
def test_report_contains(whole: tuple[str, Page], words: str) -> None:
    assert words in whole[1].text


def test_text_of_a_network_is_never_active_content(whole: tuple[str, Page]) -> None:
    text, page = whole
    assert page.only_our_script()
    assert '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; a bell<span class="control"' in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert 'an escape<span class="control" title="U+001B">\\x1b</span>[2J,\n  two spaces, ' in text
    assert "turned\ttab" in text


def test_report_loads_no_external_resource(make_run: MakeRun, tmp_path: Path) -> None:
    text, page = report([make_run("one"), make_run("two")], tmp_path / "report.html")
    assert not re.search(r"https?:(?!//www\.w3\.org/2000/svg)", text)
    assert "@import" not in text
    assert all(match == "#" for match in re.findall(r"url\((.)", text))
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert set(page.tags).isdisjoint({"link", "iframe", "object", "img"})
    assert page.only_our_script()
    assert f"script-src {policy_hash(script('report.js'))};" in text


def test_identifiers_are_unique_and_references_resolve(make_run: MakeRun, tmp_path: Path) -> None:
    text, page = report([make_run("one"), make_run("two")], tmp_path / "report.html")
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    drawn = text.partition('<script type="module">')[0]
    assert set(re.findall(r"url\(#([^)]+)\)", drawn)) <= set(page.ids)


def test_same_runs_give_same_bytes(make_run: MakeRun, tmp_path: Path) -> None:
    folders = [make_run("one"), make_run("two")]
    first = write_report(folders, tmp_path / "a.html").read_bytes()
    assert write_report(folders, tmp_path / "b.html").read_bytes() == first
    assert len(first) < 1_500_000


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("run.toml", "Not available: the run directory has no run.toml"),
        ("metrics.jsonl", "Not available: the run has no records of its loss yet."),
        ("samples.jsonl", "Not available: the run has no samples."),
        ("summary.json", "Not available: the gradients of this run were not checked"),
        ("summary.json", "Not available: the best model generates a text when the training ends."),
        ("summary.json", "Not available: the comparison with baselines is computed when the training ends."),
        ("summary.json", "Not available: no epoch is complete"),
    ],
)
def test_report_of_interrupted_run_names_missing_data(make_run: MakeRun, tmp_path: Path, file: str, words: str) -> None:
    without = (file,) if file != "run.toml" else (file, "timings.jsonl", "summary.json")
    text, page = report([make_run(without=without)], tmp_path / "report.html")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text) == SECTIONS
    assert words in page.text
    assert f"{file} is absent" in page.text


def test_report_of_a_run_with_only_settings(make_run: MakeRun, tmp_path: Path) -> None:
    without = ("metrics.jsonl", "samples.jsonl", "timings.jsonl", "summary.json")
    _, page = report([make_run(without=without)], tmp_path / "report.html")
    assert "No loss has been recorded yet." in page.text
    assert "Not available: the run has no loss yet, so there is no best model." in page.text


def test_invalid_values_in_a_summary_are_not_available(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(
        gradient_check=3, epoch_means="x", baselines=None, best_sample=7, final_sample="", seconds=float("nan")
    )
    _, page = report([run], tmp_path / "report.html")
    assert "Not available: the gradients of this run were not checked" in page.text
    assert "Not available: no epoch is complete" in page.text


def test_gradients_that_differ_are_marked(make_run: MakeRun, tmp_path: Path) -> None:
    good = {"max_abs_central": 1e-9, "max_rel_central": 1e-9, "max_rel_complex": 1e-16, "seed_tolerance": 1e-7}
    good["passed"] = True
    bad = good | {"max_abs_central": 1e-3, "passed": False}
    cells = {"elman": {"U": bad, "V": good, "W": {}}, "gru": {"U": bad}}
    text, page = report([make_run(gradient_check={"cells": cells, "passed": False})], tmp_path / "report.html")
    assert page.text.count("✗ differs") == 3
    assert page.text.count("✓ agrees") == 1
    assert "Not all gradients agree: see the last column." in page.text
    assert "Analytic and numerical gradients: gru" in text


def test_middle_samples_of_a_long_run_are_folded(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run()
    rows = [{"update": 10_000 * n, "temperature": 0.5, "text": f"sample {n} of many"} for n in range(67)]
    (folder / "samples.jsonl").write_text(lines(rows))
    text, page = report([folder], tmp_path / "report.html")
    assert all(f"sample {n} of many" in page.text for n in range(67))
    assert "55 more samples, after 110,000 to 650,000 updates" in page.text
    assert text.index("sample 65 of many") < text.index("</details>") < text.index("sample 66 of many")


def test_table_of_many_epochs_is_shortened(make_run: MakeRun, tmp_path: Path) -> None:
    means = [{"epoch": n, "nats_per_character": 2.0} for n in range(1, 101)]
    _, page = report([make_run(epoch_means=means)], tmp_path / "report.html")
    assert "… 88 more epochs …" in page.text
    assert "1002.0002.885" in page.text


def test_loss_on_the_test_part_is_in_the_comparison(make_run: MakeRun, tmp_path: Path) -> None:
    sentence = (
        "On the test part of the text, which did not influence the choice of the model, the best model needs "
        "3.125 bits per character."
    )
    _, page = report([make_run("with", test_bits_per_character=3.125)], tmp_path / "with.html")
    assert sentence in page.text
    _, page = report([make_run("without")], tmp_path / "without.html")
    assert "On the test part" not in page.text


def test_held_out_loss_has_its_own_baselines(make_run: MakeRun, tmp_path: Path) -> None:
    held_out = {"uniform": 5.9, "unigram": 4.2, "gzip": 3.1, "bzip2": 2.9, "xz": 3.0}
    folder = make_run(held_out_baselines=held_out, validation_nats_per_character=2.25)
    _, page = report([folder], tmp_path / "report.html")
    assert "gzip −92.7503.100" in page.text
    assert "this network2.8853.246" in page.text
    assert "On held-out text the best model needs 3.246 bits per character." in page.text
    assert "The best model has the lowest held-out loss." in page.text


def test_limit_of_the_baselines_is_stated(whole: tuple[str, Page], make_run: MakeRun, tmp_path: Path) -> None:
    _, page = report([make_run(baseline_limit=16_777_216)], tmp_path / "report.html")
    words = "The baselines use the first 16,777,216 characters of each text, or all if it is shorter."
    assert words in page.text
    assert words not in whole[1].text


def test_report_compares_several_runs(make_run: MakeRun, tmp_path: Path) -> None:
    folders = [make_run("one"), make_run("two", epoch_mean_nats_per_character=1.5), make_run("three", without=())]
    text, page = report(folders, tmp_path / "report.html")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text) == ["Overview", "one", "two", "three"]
    assert page.tags.count("svg") == 2 + 3 * 2
    assert "The best run is two: 2.164 bits per character (last complete epoch)." in page.text
    assert page.tags.count("article") == 3


def test_runs_without_a_common_measure_have_no_best_run(make_run: MakeRun, tmp_path: Path) -> None:
    folders = [make_run("one"), make_run("two", without=("summary.json",))]
    _, page = report(folders, tmp_path / "report.html")
    assert "No measure on the same text is common to these runs" in page.text


def test_markup_in_the_name_of_a_run_is_escaped(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run()
    (folder / "run.toml").write_text('[text]\nname = "<script>$title $x {y}"\nnotes = ["<b>"]\n')
    text, page = report([folder], tmp_path / "report.html")
    assert page.only_our_script()
    assert "<title>A network trained on &lt;script&gt;$title $x {y}</title>" in text


def test_report_errors_name_the_path(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a report needs at least one run directory"):
        write_report([], tmp_path / "report.html")
    with pytest.raises(ModelError, match="is not a folder"):
        write_report([tmp_path / "nowhere"], tmp_path / "report.html")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StorageError, match=r"cannot write `.*report\.html`: it is a folder\.") as caught:
        write_report([make_run()], tmp_path / "report.html")
    assert caught.value.exit_code == 7
    assert list(tmp_path.glob(".report*")) == []


def test_report_replaces_the_old_one_and_creates_its_directory(make_run: MakeRun, tmp_path: Path) -> None:
    output = tmp_path / "deep" / "er" / "report.html"
    folder = make_run()
    write_report([folder], output)
    (folder / "summary.json").write_text(json.dumps({}))
    write_report([folder], output)
    assert "the gradients of this run were not checked" in output.read_text(encoding="utf-8")
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]


def test_report_does_not_import_pyplot(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it fails
    assert write_report([make_run()], tmp_path / "report.html").is_file()


def test_compressed_sizes_of_the_held_out_text(make_run: MakeRun, tmp_path: Path) -> None:
    sizes = {"bytes": 20000, "model": 5000, "gzip": 9000, "bzip2": 8000, "xz": 8500}
    text, _ = report([make_run(held_out_compressed=sizes)], tmp_path / "report.html")
    for part in ("20,000", "5,000", "25.0%", "2.000", "9,000", "8,500"):
        assert f">{part}<" in text
    _, page = report([make_run("none", held_out_compressed={"bytes": 0, "model": 62})], tmp_path / "report.html")
    assert "uncompressed" not in page.text
