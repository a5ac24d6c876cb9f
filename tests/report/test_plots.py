from __future__ import annotations

import base64
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from report_fakes import record

from snnbook.errors import UserError
from snnbook.report import plots

mpl.use("agg")
LIGHT, DARK = "#ffffff", "#121212"


def contrast(a, b):
    """Contrast ratio of two sRGB colours. Ref: WCAG 2.2."""

    def luminance(colour):
        c = np.array(to_rgb(colour))
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def in_the_dark(colour):
    """A colour after the dark theme's invert(1) hue-rotate(180deg). Ref: CSS Filter Effects 1."""
    grey = np.array([0.213, 0.715, 0.072])
    rotated = (2 * grey - np.eye(3)) @ (1 - np.array(to_rgb(colour)))
    return tuple(rotated.clip(0, 1))


def figure():
    fig, ax = plots.subplots()
    ax.plot([0, 1], [0, 1], label="a")
    return fig


def test_text_can_be_read_in_both_themes():
    assert contrast(plots.INK, LIGHT) >= 4.5
    assert contrast(in_the_dark(plots.INK), DARK) >= 4.5
    assert contrast(plots.INK, DARK) >= 3
    assert "invert(1) hue-rotate(180deg)" in plots.DARK_RULE


def test_no_grey_alone_reaches_both():
    greys = [(v / 255,) * 3 for v in range(256)]
    assert max(min(contrast(g, LIGHT), contrast(g, DARK)) for g in greys) < 4.5


@pytest.mark.parametrize("colour", plots.PALETTE)
def test_lines_stand_out_in_both_themes(colour):
    assert contrast(colour, LIGHT) >= 3
    assert contrast(in_the_dark(colour), DARK) >= 3
    assert contrast(colour, DARK) >= 3


def test_series_differ_in_more_than_colour():
    n = len(plots.PALETTE)
    assert n == len(set(plots.PALETTE)) == len(set(plots.MARKERS)) == len(set(map(str, plots.LINES)))
    assert len(set(plots.HATCHES)) == n


@pytest.mark.parametrize("alt", ["", "   ", None])
def test_a_figure_without_alt_text_is_refused(alt):
    with pytest.raises(UserError, match="alternative text"):
        plots.picture(figure(), alt, "Caption.")


def test_a_figure_without_caption_is_refused():
    with pytest.raises(UserError, match="caption"):
        plots.show(figure(), "alt", "")


def test_unknown_format():
    with pytest.raises(UserError, match="did you mean svg"):
        plots.picture(figure(), "alt", "Caption.", format="svgz")


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")], ids=["svg", "png"])
def test_the_alt_text_reaches_the_page(format, start):
    html = plots.picture(figure(), 'rises from "0" to 1', "A <line>.", format=format).html
    assert 'alt="rises from &quot;0&quot; to 1"' in html
    assert "<figcaption>A &lt;line&gt;.</figcaption>" in html
    assert "dark-light" in html  # the theme adds no white ground to these
    source = html.split("base64,")[1].split('"')[0]
    assert base64.b64decode(source).startswith(start)


def test_the_caption_tells_reduced_scale():
    html = plots.picture(figure(), "alt", "Caption.", [record(seed=0), record(seed=1)]).html
    assert "Caption. Reduced scale, on our embedded data: digits-dvs (laptop), 2 seeds." in html
    paper = plots.picture(figure(), "alt", "Caption.", [record(profile="paper")]).html
    assert "Reduced" not in paper


def test_the_same_figure_is_the_same_bytes():
    first, second = (plots.picture(figure(), "alt", "Caption.").html for _ in range(2))
    assert first == second


def test_a_shown_figure_is_closed(capsys):
    fig = figure()
    plots.show(fig, "alt text", "Caption.")
    assert fig.number not in plt.get_fignums()
    assert "alt text" in capsys.readouterr().out


def test_what_is_added_later_has_the_style_too():
    fig = figure()
    legend = fig.axes[0].legend()
    assert legend.get_texts()[0].get_color() == plots.INK
    assert not legend.get_frame_on()
    assert fig.axes[0].text(0, 0, "note").get_color() == plots.INK
    plt.close(fig)


def test_a_curve_is_the_mean_with_its_sd():
    _, ax = plots.subplots()
    plots.curve_with_band(ax, [1, 2], [[0, 1], [2, 3]], "a")
    plots.curve_with_band(ax, [1, 2], [4, 5], "one seed")
    assert ax.lines[0].get_ydata().tolist() == [1, 2]
    assert len(ax.collections) == 1
    assert ax.collections[0].get_datalim(ax.transData).y0 == pytest.approx(1 - np.sqrt(2))
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    with pytest.raises(UserError, match=r"\[seeds, 2\]"):
        plots.curve_with_band(ax, [1, 2], [[1, 2, 3]], "b")
    plt.close("all")


def test_bars_show_every_seed():
    _, ax = plots.subplots()
    plots.bars_with_points(ax, ["a", "b"], [[1, 2, 3], [5]])
    assert [p.get_height() for p in ax.patches] == [2, 5]
    assert [sorted(points.get_offsets()[:, 1].tolist()) for points in ax.collections] == [[1, 2, 3], [5]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    assert ax.patches[0].get_hatch() != ax.patches[1].get_hatch()
    with pytest.raises(UserError, match="2 names for 1"):
        plots.bars_with_points(ax, ["a", "b"], [[1]])
    plt.close("all")


def test_arms_are_told_apart_by_marker_too():
    _, ax = plots.subplots()
    plots.points_by_arm(ax, {"a": ([1, 2], [3, 4]), "b": ([5, 6], [7, 8])}, "arm")
    assert ax.collections[0].get_offsets().tolist() == [[1, 3], [2, 4], [5, 7], [6, 8]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert len({line.get_marker() for line in ax.get_legend().legend_handles}) == 2
    plt.close("all")


def test_weights_left_names_layers_and_takes_the_share_of_each():
    layers = [
        {"kind": kind, "weights_alive": alive, "weights_total": 10}
        for kind, alive in (("conv", 10), ("conv", 5), ("linear", 1))
    ]
    _, ax = plots.subplots()
    plots.weights_left(ax, {"S": [SimpleNamespace(layers=layers)] * 2})
    assert [t.get_text() for t in ax.get_xticklabels()] == ["conv1", "conv2", "linear1"]
    assert ax.lines[0].get_ydata().tolist() == [100, 50, 10]
