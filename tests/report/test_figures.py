"""The figures: their content, equal bytes for equal runs, and errors."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import ModelError, StorageError, UsageError
from recurra.report.drawing import PAPER, STAND_IN, inline, style
from recurra.report.figures import bars, draw_bits, draw_smooth_loss, write_figures
from recurra.runs.curves import decimate
from recurra.runs.records import MetricsLine, load
from run_folder import MakeRun

SIGNATURES = {"pdf": b"%PDF", "png": b"\x89PNG", "svg": b"<?xml"}


@pytest.mark.parametrize("kind", ["pdf", "png", "svg"])
def test_same_run_gives_same_figure_bytes(make_run: MakeRun, tmp_path: Path, kind: str) -> None:
    folder = make_run()
    first = write_figures([folder], tmp_path / "a", kind)
    second = write_figures([folder], tmp_path / "b", kind)
    assert [path.name for path in first] == [f"smooth-loss.{kind}", f"bits-per-character.{kind}"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes().startswith(SIGNATURES[kind])
        assert one.read_bytes() == other.read_bytes()


def test_figures_ignore_and_keep_matplotlib_settings(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run()
    before = write_figures([folder], tmp_path / "a", "svg")[0].read_bytes()
    with mpl.rc_context({"lines.linewidth": 9.0, "font.size": 30.0}):
        assert write_figures([folder], tmp_path / "b", "svg")[0].read_bytes() == before
        assert mpl.rcParams["font.size"] == 30.0


def test_unknown_figure_format_is_an_error(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`format` must be one of pdf, png, svg; got 'gif'"):
        write_figures([make_run()], tmp_path, "gif")


def test_figures_of_a_run_without_data_are_an_error(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run(without=("metrics.jsonl", "summary.json"))
    with pytest.raises(ModelError, match="there is nothing to draw"):
        write_figures([folder], tmp_path)


def test_unwritable_figure_path_is_an_error(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write `.*smooth-loss\.pdf`: "):
        write_figures([make_run()], tmp_path / "file")


def test_smooth_loss_figure_has_axes_and_marks(make_run: MakeRun) -> None:
    with style(PAPER, "t"):
        figure = draw_smooth_loss([load(make_run())], PAPER)
    assert figure is not None
    above, below = figure.axes
    assert above.get_ylabel() == "nats per 25 characters"
    assert {text.get_text() for text in above.texts} >= {"bits per character", "epoch 2", "epoch 3"}
    words = {text.get_text() for text in below.texts}
    assert {"final 52.50 nats, 3.03 bits", "lowest 48.25 nats, 2.78 bits"} <= words
    assert above.get_xlim() == below.get_xlim()


def test_held_out_losses_have_the_unit_of_the_smooth_loss(make_run: MakeRun) -> None:
    run = load(make_run())
    scored = [record._replace(validation=2.5) if record.update == 4000 else record for record in run.records]
    with style(PAPER, "t"):
        figure = draw_smooth_loss([type(run)(**vars(run) | {"records": tuple(scored)})], PAPER)
    assert figure is not None
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "held-out text"]
    assert np.asarray(line.get_ydata()).tolist() == [2.5 * 25]


def test_runs_of_different_units_are_drawn_in_nats_per_character(make_run: MakeRun) -> None:
    small = make_run("small")
    (small / "run.toml").write_text((small / "run.toml").read_text().replace('"classic"', '"small"'))
    with style(PAPER, "t"):
        figure = draw_smooth_loss([load(make_run()), load(small)], PAPER)
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "nats per character"
    first, second = figure.axes[0].lines
    assert (first.get_label(), second.get_label()) == ("fable", "small")
    assert np.asarray(first.get_ydata())[-1] * 25 == pytest.approx(np.asarray(second.get_ydata())[-1])


def test_run_with_one_record_is_drawn(make_run: MakeRun) -> None:
    run = load(make_run(updates=100, best_update=100, smooth_loss=90.0, best_smooth_loss=90.0))
    with style(PAPER, "t"):
        figure = draw_smooth_loss([type(run)(**vars(run) | {"records": run.records[:1]})], PAPER)
    assert figure is not None
    assert "final and lowest 90.00 nats, 5.19 bits" in {text.get_text() for text in figure.axes[0].texts}


def test_runs_of_one_text_share_its_baselines(make_run: MakeRun) -> None:
    one, two = load(make_run("one")), load(make_run("two", validation_bits_per_character=3.0))
    labels = [bar.label for bar in bars([one, two])]
    assert labels == [
        *("uniform", "unigram", "gzip −9", "bzip2 −9", "xz −9e"),
        *("one: last complete epoch", "two: last complete epoch", "two: held-out text"),
    ]
    assert bars([one])[-1].bits == pytest.approx(2.0 / 0.6931471805599453)


def test_bars_of_different_texts_have_different_labels(make_run: MakeRun) -> None:
    other = make_run("other")
    settings = (other / "run.toml").read_text()
    (other / "run.toml").write_text(settings.replace("c0ffee", "decade").replace('"fable"', '"psalms"'))
    labels = [bar.label for bar in bars([load(make_run()), load(other)])]
    assert "fable: gzip −9" in labels
    assert "psalms: gzip −9" in labels


def test_dollar_signs_and_chinese_in_a_name_are_drawn(make_run: MakeRun) -> None:
    runs = [load(make_run("$\\frac$ 漢 <b>")), load(make_run("$"))]
    with style(STAND_IN, "t"):
        figure = draw_bits(runs, STAND_IN)
        assert figure is not None
        drawn = inline(figure, "t", 'a "quoted" <description>')
    assert "$\\frac$ 漢 &lt;b&gt;: last complete epoch" in drawn
    assert 'aria-label="a &quot;quoted&quot; &lt;description&gt;"' in drawn


def test_inline_figure_uses_colors_of_the_page(make_run: MakeRun) -> None:
    with style(STAND_IN, "t"):
        figure = draw_smooth_loss([load(make_run())], STAND_IN)
        assert figure is not None
        drawn = inline(figure, "one", "The loss.")
    assert drawn.startswith("<svg viewBox=")
    assert "#0a0b" not in drawn
    for variable in ("--ink", "--muted", "--rule", "--lowest", "--series-1"):
        assert f"var({variable})" in drawn
    assert "http" not in drawn
    assert 'id="figure_1"' not in drawn


def _record(update: int, smooth: float) -> MetricsLine:
    return MetricsLine(update, smooth, smooth - 1, smooth + 1, smooth, None, None)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.sampled_from([8, 20, 50]))
def test_decimation_keeps_extremes_ends_and_order(losses: list[float], limit: int) -> None:
    records = [_record(update, loss) for update, loss in enumerate(losses)]
    kept = decimate(records, limit)
    assert len(kept) <= limit
    assert (kept[0], kept[-1]) == (records[0], records[-1])
    updates = [record.update for record in kept]
    assert updates == sorted(set(updates))
    assert min(record.low for record in kept) == min(record.low for record in records)
    assert max(record.high for record in kept) == max(record.high for record in records)
    assert min(record.smooth for record in kept) == min(losses)
    assert max(record.smooth for record in kept) == max(losses)
