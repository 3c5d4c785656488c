"""The drawings of the derivation, made while the pages are built: as SVG, on white and on dark pages.

A drawing is a function that puts nodes and arrows on a `Canvas`, in units of its own; y grows upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

Point = tuple[float, float]


class Colors(NamedTuple):
    """The colors of a drawing; `back` is for gradients, which run against the arrows of the forward pass."""

    ink: str
    line: str
    fill: str
    state: str
    back: str


PAGES = {
    "light": Colors(ink="#1c1b19", line="#6a665f", fill="#f1eee8", state="#1d5b9e", back="#b3410e"),
    "dark": Colors(ink="#eceae6", line="#9d9890", fill="#2a2825", state="#7db4ee", back="#f09063"),
}


class Canvas:
    """A figure of `width` by `height` units without axes, and what is drawn on it."""

    def __init__(self, width: float, height: float, colors: Colors) -> None:
        """Make an empty drawing; a unit is 0.62 inches."""
        self.colors = colors
        self.figure = Figure(figsize=(width * 0.62, height * 0.62))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.axis("off")

    def text(self, at: Point, words: str, color: str | None = None, size: float = 11, **named: Any) -> None:
        """Write words, or a formula between dollars, centered at a point."""
        named = {"ha": "center", "va": "center"} | named
        self.axes.text(*at, words, color=color or self.colors.ink, fontsize=size, zorder=5, **named)

    def box(self, at: Point, words: str, width: float = 0.9, height: float = 0.7, color: str | None = None) -> None:
        """Draw a rounded box around words."""
        corner = (at[0] - width / 2, at[1] - height / 2)
        shape = "round,pad=0,rounding_size=0.14"
        edge = color or self.colors.line
        self.axes.add_patch(
            FancyBboxPatch(corner, width, height, boxstyle=shape, fc=self.colors.fill, ec=edge, lw=1.3, zorder=3)
        )
        self.text(at, words)

    def operation(self, at: Point, sign: str) -> None:
        """Draw an operation on vectors, element by element, as a circle with its sign."""
        self.axes.add_patch(Circle(at, 0.24, fc=self.colors.fill, ec=self.colors.line, lw=1.1, zorder=3))
        self.text(at, sign, size=10)

    def arrow(
        self, *points: Point, words: str = "", beside: Point = (0.2, 0), color: str | None = None, dashed: bool = False
    ) -> None:
        """Draw a line through points with a head at the last one, and words beside its middle segment."""
        color = color or self.colors.line
        style = (0, (4, 2.5)) if dashed else "solid"
        *before, start, end = points
        corners = [*before, start]
        if before:
            self.axes.plot([x for x, _ in corners], [y for _, y in corners], color=color, lw=1.3, ls=style, zorder=2)
        self.axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=11, color=color, lw=1.3, ls=style, shrinkA=0, shrinkB=0,
                zorder=2,
            )
        )  # fmt: skip
        if words:
            middle = ((start[0] + end[0]) / 2 + beside[0], (start[1] + end[1]) / 2 + beside[1])
            self.text(middle, words, color=color, size=10)


def unrolled(colors: Colors) -> Canvas:
    """The network unrolled over three steps."""
    canvas = Canvas(10.6, 5.6, colors)
    canvas.text((0.8, 2.6), "$h_0$", color=colors.state)
    previous = 1.15
    for t, x in enumerate((2.6, 5.2, 7.8), start=1):
        canvas.box((x, 0.6), f"$x_{t}$")
        canvas.box((x, 2.6), f"$h_{t}$", color=colors.state)
        canvas.box((x, 4.0), f"$p_{t}$")
        canvas.text((x, 5.25), f"$-\\log\\,p_{t}[y_{t}]$")
        canvas.arrow((x, 0.95), (x, 2.25), words="$U$")
        canvas.arrow((x, 2.95), (x, 3.65), words="$V$")
        canvas.arrow((x, 4.35), (x, 4.98))
        canvas.arrow((previous, 2.6), (x - 0.45, 2.6), words="$W$", beside=(0, 0.28), color=colors.state)
        previous = x + 0.45
    canvas.arrow((previous, 2.6), (9.8, 2.6), words="$W$", beside=(0, 0.28), color=colors.state)
    canvas.text((10.15, 2.6), "…", color=colors.state)
    return canvas


def backward(colors: Colors) -> Canvas:
    """The backward pass: the gradients, against the arrows of the forward pass."""
    canvas = Canvas(10.6, 5.4, colors)
    for t, x in zip(("t-1", "t", "t+1"), (2.0, 5.2, 8.4), strict=True):
        canvas.box((x, 4.6), f"$L_{{{t}}}$")
        canvas.operation((x, 2.9), "+")
        canvas.box((x, 1.7), f"$a_{{{t}}}$", color=colors.state)
        canvas.arrow((x, 4.25), (x, 3.16), color=colors.back)
        canvas.text((x + 0.16, 3.7), f"$V^T g_{{{t}}}$", color=colors.back, size=10, ha="left")
        canvas.arrow((x, 2.64), (x, 2.07), color=colors.back)
        canvas.text((x + 0.14, 2.36), "$\\ast\\;(1-h^2)$", color=colors.back, size=9, ha="left")
        canvas.arrow((x, 1.33), (x, 0.72), color=colors.back)
        canvas.text((x, 0.42), "to $W, U, b$", color=colors.back, size=10)
    for x, t in ((5.2, "t"), (8.4, "t+1")):
        left = x - 3.2
        turn = left + 1.9
        canvas.arrow((x - 0.45, 1.7), (turn, 1.7), (turn, 2.9), (left + 0.26, 2.9), color=colors.back)
        canvas.text((turn - 0.1, 3.2), f"$W^T\\,da_{{{t}}}$", color=colors.back, size=10)
    canvas.arrow((10.2, 2.9), (8.66, 2.9), color=colors.back)
    canvas.text((10.35, 2.9), "…", color=colors.back)
    canvas.arrow((1.55, 1.7), (0.5, 1.7), color=colors.back)
    canvas.text((0.95, 2.02), "$W^T da$", color=colors.back, size=9)
    return canvas


def lstm(colors: Colors) -> Canvas:
    """One step of the LSTM: the cell state runs along the top."""
    canvas = Canvas(11, 6.2, colors)
    canvas.text((0.5, 5.2), "$c_{t-1}$", color=colors.state)
    canvas.arrow((0.9, 5.2), (2.36, 5.2), color=colors.state)
    canvas.operation((2.6, 5.2), "×")
    canvas.arrow((2.84, 5.2), (5.26, 5.2), color=colors.state)
    canvas.operation((5.5, 5.2), "+")
    canvas.arrow((5.74, 5.2), (10.0, 5.2), color=colors.state)
    canvas.text((10.4, 5.2), "$c_t$", color=colors.state)
    for name, words, x in (("f", r"$\sigma$", 2.6), ("i", r"$\sigma$", 4.4), ("g", r"$\tanh$", 5.5)):
        canvas.box((x, 2.2), words, width=0.86)
        canvas.text((x + 0.28, 2.82), f"${name}$", size=10)
        canvas.arrow((x, 1.0), (x, 1.85))
    canvas.box((7.2, 2.2), r"$\sigma$", width=0.86)
    canvas.text((7.48, 2.82), "$o$", size=10)
    canvas.arrow((2.6, 2.55), (2.6, 4.94))
    canvas.operation((5.5, 3.8), "×")
    canvas.arrow((5.5, 2.55), (5.5, 3.54))
    canvas.arrow((4.4, 2.55), (4.4, 3.8), (5.24, 3.8))
    canvas.arrow((5.5, 4.06), (5.5, 4.94))
    canvas.box((8.6, 4.3), r"$\tanh$", width=0.86)
    canvas.arrow((8.6, 5.2), (8.6, 4.67), color=colors.state)
    canvas.operation((8.6, 3.1), "×")
    canvas.arrow((8.6, 3.93), (8.6, 3.36), color=colors.state)
    canvas.arrow((7.2, 2.55), (7.2, 3.1), (8.34, 3.1))
    canvas.arrow((8.86, 3.1), (10.0, 3.1), color=colors.state)
    canvas.text((10.4, 3.1), "$h_t$", color=colors.state)
    canvas.arrow((0.9, 1.0), (7.2, 1.0), (7.2, 1.85))
    canvas.text((0.45, 1.0), "$h_{t-1}$", color=colors.state)
    canvas.arrow((1.7, 0.55), (1.7, 0.97))
    canvas.text((1.7, 0.3), "$x_t$")
    canvas.text((6.1, 0.6), "$W h_{t-1} + U x_t + b$", size=10)
    return canvas


def gru(colors: Colors) -> Canvas:
    """One step of the GRU: a weighted mean of the last state and a candidate."""
    canvas = Canvas(11, 5.8, colors)
    canvas.text((0.45, 4.9), "$h_{t-1}$", color=colors.state)
    canvas.arrow((0.95, 4.9), (5.86, 4.9), color=colors.state)
    canvas.operation((6.1, 4.9), "×")
    canvas.arrow((6.34, 4.9), (8.56, 4.9), color=colors.state)
    canvas.operation((8.8, 4.9), "+")
    canvas.arrow((9.04, 4.9), (10.1, 4.9), color=colors.state)
    canvas.text((10.45, 4.9), "$h_t$", color=colors.state)
    canvas.box((2.9, 2.9), "$W_n h + b_{hn}$", width=1.6)
    canvas.arrow((1.5, 4.9), (1.5, 2.9), (2.1, 2.9), color=colors.state)
    canvas.text((3.92, 3.16), "$q$", size=10)
    canvas.operation((4.5, 2.9), "×")
    canvas.arrow((3.7, 2.9), (4.26, 2.9))
    canvas.box((4.5, 1.7), r"$\sigma$", width=0.86)
    canvas.text((4.72, 2.3), "$r$", size=10)
    canvas.arrow((4.5, 2.05), (4.5, 2.66))
    canvas.box((6.1, 1.7), r"$\sigma$", width=0.86)
    canvas.arrow((6.1, 2.05), (6.1, 4.66))
    canvas.text((6.3, 3.9), "$z$", size=10)
    canvas.box((7.4, 2.9), r"$\tanh$", width=0.86)
    canvas.arrow((4.74, 2.9), (6.97, 2.9))
    canvas.text((7.72, 3.5), "$n$", size=10)
    canvas.operation((7.4, 4.0), "×")
    canvas.arrow((7.4, 3.25), (7.4, 3.74))
    canvas.arrow((6.1, 4.0), (7.14, 4.0))
    canvas.text((6.7, 4.22), "$1-z$", size=9)
    canvas.arrow((7.66, 4.0), (8.8, 4.0), (8.8, 4.64))
    canvas.arrow((7.4, 1.2), (7.4, 2.53))
    canvas.text((7.4, 0.95), "$U_n x_t + b_{in}$", size=10)
    for x in (4.5, 6.1):
        canvas.arrow((x, 1.0), (x, 1.33))
    canvas.text((5.0, 0.7), "$W h_{t-1} + U x_t + b$", size=10)
    return canvas


def mogrifier(colors: Colors) -> Canvas:
    """Three rounds of the Mogrifier before an LSTM step."""
    canvas = Canvas(11, 3.9, colors)
    top, bottom = 3.1, 0.8
    canvas.text((0.5, top), "$x_t$")
    canvas.text((0.5, bottom), "$h_{t-1}$", color=colors.state)
    canvas.arrow((0.8, top), (2.16, top))
    canvas.operation((2.4, top), "×")
    canvas.arrow((2.64, top), (6.16, top), words="$x^1$", beside=(-0.9, 0.28))
    canvas.operation((6.4, top), "×")
    canvas.arrow((6.64, top), (9.0, top), words="$x^3$", beside=(0, 0.28))
    canvas.arrow((1.0, bottom), (4.16, bottom), color=colors.state)
    canvas.operation((4.4, bottom), "×")
    canvas.arrow((4.64, bottom), (9.0, bottom), words="$h^2$", beside=(0.7, 0.28), color=colors.state)
    for x, start, end, words in ((2.4, bottom, top, "Q^1"), (4.4, top, bottom, "R^2"), (6.4, bottom, top, "Q^3")):
        middle, sign = (top + bottom) / 2, 1 if end > start else -1
        canvas.arrow((x, start), (x, middle - 0.36 * sign))
        canvas.box((x, middle), f"$2\\sigma({words}\\cdot)$", width=1.2)
        canvas.arrow((x, middle + 0.36 * sign), (x, end - 0.26 * sign))
    canvas.box((9.7, (top + bottom) / 2), "LSTM", width=1.4, height=3.0, color=colors.state)
    return canvas


DRAWINGS: dict[str, Callable[[Colors], Canvas]] = {
    "unrolled": unrolled,
    "backward": backward,
    "lstm": lstm,
    "gru": gru,
    "mogrifier": mogrifier,
}


def write_drawings(folder: Path) -> None:
    """Draw every figure of the derivation into `folder`, for light and for dark pages."""
    folder.mkdir(exist_ok=True)
    settings = {"svg.hashsalt": "recurra", "mathtext.fontset": "stix", "font.family": "STIXGeneral"}
    with mpl.rc_context(settings):
        for name, draw in DRAWINGS.items():
            for page, colors in PAGES.items():
                figure = draw(colors).figure
                figure.savefig(folder / f"{name}-{page}.svg", transparent=True, metadata={"Date": None})
