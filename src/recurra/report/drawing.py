"""Draw a figure to bytes: the same bytes for the same data, in colors for paper or for the screen.

In a file the colors are the light palette's. In a page they are variables of its style sheet, so that one
drawing serves light, dark and print: the drawing is made with stand-in colors, and each is then replaced by
its variable.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from recurra.report.markup import Html, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

FIGURE_FORMATS = ("pdf", "png", "svg")


class Palette(NamedTuple):
    """Colors by what they are for; `series` tells runs apart, also for color-blind eyes."""

    ink: str
    muted: str
    grid: str
    paper: str
    lowest: str
    final: str
    series: tuple[str, ...]


PAPER = Palette(
    ink="#1c1b19",
    muted="#6a665f",
    grid="#dcd8d0",
    paper="#ffffff",
    lowest="#0f766e",
    final="#b3410e",
    series=("#1d5b9e", "#b3410e", "#0f766e", "#7a3fb0", "#8a6a00", "#b02a63"),
)
VARIABLES = (  # of the page's style sheet, in the order of `Palette`
    "--ink", "--muted", "--rule", "--paper", "--lowest", "--final",
    *(f"--series-{number}" for number in range(1, 1 + len(PAPER.series))),
)  # fmt: skip
# Colors that nothing else draws with: 0a0b01, 0a0b02, ...
_COLORS = tuple(f"#0a0b{number:02x}" for number in range(1, 1 + len(VARIABLES)))
_SINGLE = len(Palette._fields) - 1
_DRAWING = threading.RLock()  # Matplotlib's settings and Python's warning filters belong to the whole process
STAND_IN = Palette._make([*_COLORS[:_SINGLE], _COLORS[_SINGLE:]])


@contextmanager
def style(palette: Palette, salt: str) -> Iterator[None]:
    """Matplotlib's own defaults and ours upon them, whatever the user's matplotlibrc says; undone at the end.
    One thread draws at a time.

    `salt` keeps the identifiers of two drawings in one page apart, and makes them the same in every process.
    """
    from matplotlib import style as styles

    settings = {
        "axes.edgecolor": palette.muted,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.labelcolor": palette.muted,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "grid.color": palette.grid,
        "grid.linewidth": 0.6,
        "legend.edgecolor": "none",
        "legend.facecolor": palette.paper,
        "legend.framealpha": 0.85,
        "legend.labelcolor": palette.ink,
        "lines.solid_capstyle": "round",
        "lines.solid_joinstyle": "round",
        "pdf.fonttype": 42,
        "savefig.facecolor": palette.paper,
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "text.color": palette.ink,
        "text.parse_math": False,  # a run's name may hold dollar signs
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
    }
    with _DRAWING, styles.context(["default", settings]), warnings.catch_warnings():
        # A name in letters that the measuring font lacks: the page shows them in its own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def as_file(figure: Figure, kind: str) -> bytes:
    """The figure in one of `FIGURE_FORMATS`, without a date."""
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[kind]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return buffer.getvalue()


def inline(figure: Figure, salt: str, description: str) -> Html:
    """The figure, drawn with `STAND_IN`, as an <svg> element with the page's colors and letters."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for color, variable in zip(_COLORS, VARIABLES, strict=True):
        drawing = drawing.replace(color, f"var({variable})")
    # The page's own letters; matplotlib measured with DejaVu Sans, which is as wide as any of them or wider.
    drawing = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", drawing)
    drawing = _private_names(drawing, salt)
    size = re.search(r'viewBox="[^"]*"', drawing)
    box = size.group() if size else ""
    label = escape(description)
    drawing = re.sub(r"<svg[^>]*>", lambda _: f'<svg {box} role="img" aria-label="{label}">', drawing, count=1)
    return Html(drawing.strip())


def _private_names(drawing: str, salt: str) -> str:
    """Identifiers that are referred to get the drawing's name in front; the others go."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', drawing))

    def renamed(match: re.Match[str]) -> str:
        return f' id="{salt}-{match[1]}"' if match[1] in used else ""

    drawing = re.sub(r' id="([^"]+)"', renamed, drawing)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{salt}-", drawing)
