# SPDX-License-Identifier: Apache-2.0
"""Figures show the numbers of the rows, survive hostile names, and are the same bytes each time."""

import warnings
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from tailweave.simulation.figures import style
from tailweave.simulation.figures.curves import draw_curves
from tailweave.simulation.figures.draw import draw_figures
from tailweave.simulation.figures.map import draw_map
from tailweave.simulation.figures.shares import draw_shares
from tailweave.simulation.figures.style import colour_of, legend_columns, line_of, plain
from tailweave.simulation.figures.wire import draw_wire
from tailweave.simulation.measurements import measurements
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.summary import measured, revealed


@pytest.fixture
def table(run_folder, config):
    return measured(run_folder.metrics(), config)


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(title))


def test_figures_are_well_formed_and_dateless(reported):
    paths = sorted((reported.path / "figures").iterdir())
    assert [path.name for path in paths] == ["curves.svg", "map.svg", "shares.svg", "wire.svg"]
    for path in paths:
        svg = path.read_bytes()
        assert ET.fromstring(svg).tag.endswith("svg")  # in spite of the labels
        assert b"<script" not in svg
        assert b"<dc:date>" not in svg


def test_a_figure_without_data_is_removed_and_settings_stay(run_folder):
    stale = run_folder.path / "figures" / "map.svg"
    stale.parent.mkdir()
    stale.write_text("old")
    (run_folder.path / "maps.npz").unlink()
    before = dict(matplotlib.rcParams)
    assert [path.name for path in draw_figures(OpenRun(run_folder))] == [
        "curves.svg",
        "shares.svg",
        "wire.svg",
    ]
    assert not stale.exists()
    assert dict(matplotlib.rcParams) == before


def test_curves_show_means_and_bands(table):
    axes = panel(draw_curves(table), "coverage")
    for line, arm in zip(axes.lines, table.arms, strict=True):
        curve = table.curve(arm, "coverage")
        np.testing.assert_array_equal(line.get_xdata(), list(curve))
        np.testing.assert_array_equal(line.get_ydata(), [point.mean for point in curve.values()])
        assert line.get_color() == colour_of(table.arms)[arm]
    band = axes.collections[1].get_paths()[0].vertices
    interval = table.curve("siloed", "coverage")[6].interval
    assert sorted(set(band[band[:, 0] == 6, 1])) == pytest.approx(interval)
    assert panel(draw_curves(table), "Fréchet").get_yscale() == "log"


def test_one_seed_draws_lines_without_bands(run_folder, config):
    one = measured([row for row in run_folder.metrics() if row["seed"] == 0], config)
    axes = panel(draw_curves(one), "coverage")
    assert len(axes.lines) == 4
    assert len(axes.collections) == 0


def test_more_than_eight_arms_have_lines_without_bands():
    rows = [
        {"arm": f"arm-{i}", "seed": seed, "silo": "a", "generation": g, "coverage": 0.1 * i + 0.01 * seed}
        for i in range(9)
        for seed in (0, 1)
        for g in (0, 1)
    ]
    many, few = (draw_curves(measurements([r for r in rows if r["arm"] < last])) for last in ("b", "arm-8"))
    assert (len(many.axes[0].lines), len(many.axes[0].collections)) == (9, 0)
    assert (len(few.axes[0].lines), len(few.axes[0].collections)) == (8, 8)


@pytest.mark.parametrize(
    ("names", "width", "columns"),
    [(["siloed"] * 9, 11.1, 6), (["a"], 11.1, 1), (["x" * 26] * 24, 11.1, 3), (["x" * 28], 0.1, 1)],
)
def test_a_legend_has_as_many_columns_as_fit(names, width, columns):
    assert legend_columns(names, width) == columns


def test_only_measured_panels_are_drawn():
    row = {"arm": "a", "seed": 0, "silo": "s", "generation": 0}
    assert len(draw_curves(measurements([{**row, "frechet": 0.0, "vendi": 2.0}])).axes) == 2
    assert draw_curves(measurements([{**row, "unheard_of": 1.0}])) is None
    assert draw_shares(measurements([{**row, "vendi": 2.0}])) is None


def test_shares_stack_to_one(table):
    figure = draw_shares(table)
    top = figure.axes[1].collections[-1].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(1.0)  # the fixture's shares sum to 1
    assert [axes.get_ylabel() for axes in figure.axes[::4]] == ["all silos", "silo-0 alone"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["plain", "_hidden", "<script>alert(1…", "$x^$"]


def test_a_single_silo_is_called_by_its_name():
    rows = [{"arm": "a", "seed": 0, "silo": "silo-7", "generation": g, "mode_share/x": 1.0} for g in (0, 1)]
    assert [axes.get_ylabel() for axes in draw_shares(measurements(rows)).axes] == ["silo-7"]


def test_a_silo_that_collapsed_alone_is_not_hidden_by_the_others():
    rows = [
        {"arm": "a", "seed": 0, "silo": f"silo-{i}", "generation": g}
        | {f"mode_share/{k}": float(i == k) for k in range(2)}
        for i in range(2)
        for g in range(2)
    ]
    together, alone = draw_shares(measurements(rows)).axes
    heights = [
        [area.get_paths()[0].vertices[:, 1].max() for area in axes.collections] for axes in (together, alone)
    ]
    assert heights == [[0.5, 1.0], [1.0, 1.0]]


def test_map_shows_first_middle_and_last_generation(run_folder):
    figure = draw_map(run_folder.maps(), ["siloed", "unmapped", "collaborative"])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [f"{arm}, generation {g}" for arm in ("siloed", "collaborative") for g in (0, 3, 6)]
    drawn = figure.axes[2].collections[2].get_offsets()
    np.testing.assert_array_equal(drawn, run_folder.maps()["siloed/6/selected"])


def test_map_of_many_arms_shows_the_last_generation_of_each():
    names = [f"arm-{i}" for i in range(9)]
    maps = {"truth_xy": np.zeros((3, 2))} | {
        f"{name}/{g}/{kind}": np.ones((4, 2))
        for name in names
        for g in (0, 5)
        for kind in ("candidates", "selected")
    }
    assert [axes.get_title(loc="left") for axes in draw_map(maps, names).axes] == names
    assert len(draw_map(maps, names[:8]).axes) == 8 * 2


def test_map_of_one_generation_has_arms_side_by_side():
    one = {f"{name}/1/{kind}": np.ones((4, 2)) for name in "abcde" for kind in ("candidates", "selected")}
    figure = draw_map({"truth_xy": np.zeros((3, 2))} | one, list("abcde"))
    tops = [axes.get_subplotspec().rowspan.start for axes in figure.axes]
    assert tops == [0, 0, 0, 0, 1]


def test_map_refuses_positions_that_are_not_flat(run_folder):
    maps = run_folder.maps() | {"truth_xy": np.zeros((4, 3))}
    with pytest.raises(ValueError, match=r"truth_xy must have shape \(n, 2\), got \(4, 3\)"):
        draw_map(maps, ["siloed"])
    assert draw_map({}, ["siloed"]) is None


def test_wire_bars_are_bytes_per_seed(run_folder, config):
    found = revealed(run_folder.wire(), config)
    figure = draw_wire(found)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert sum(widths) * 1024 * 2 == pytest.approx(found["bytes"])
    assert widths[0] == pytest.approx((16384 + 2 * 512) / 1024)  # silo-0 is on top, so silo-2 comes first
    assert figure.legends[0].get_texts()[0].get_text() == "summarise: rows_bucket, sketch"
    assert draw_wire(revealed([], config)) is None


def test_many_silos_and_labels_stay_readable(config):
    rows = [
        {"arm": "a", "seed": 0, "silo": f"silo-{i}", "generation": g}
        | {f"mode_share/{label}": 1 / 60 for label in range(60)}
        for i in range(3)
        for g in range(2)
    ]
    assert len(draw_shares(measurements(rows)).legends[0].get_texts()) == 40
    wire = [
        {"seed": 0, "round": 0, "silo": f"silo-{i}", "kind": "hello", "fields": {}, "bytes": i}
        for i in range(50)
    ]
    shown = [label.get_text() for label in draw_wire(revealed(wire, config)).axes[0].get_yticklabels()]
    assert shown == [f"silo-{i}" for i in range(49, 19, -1)]


def test_arms_can_be_told_apart():
    arms = [f"arm-{i}" for i in range(28)]
    colours, lines = colour_of(arms), line_of(arms)
    assert len({(colours[arm], lines[arm]) for arm in arms}) == 28
    assert colour_of(arms[:3])["arm-2"] == colours["arm-2"]


@pytest.mark.parametrize(
    ("name", "shown"), [("a\x00b\n", "a\ufffdb\ufffd"), ("  ", "(blank)"), ("x" * 40, "x" * 27 + "…")]
)
def test_names_are_made_printable(name, shown):
    assert plain(name) == shown


def test_names_that_the_font_lacks_stay_text_that_any_browser_can_show(tmp_path):
    def drawn(name: str) -> str:
        with style.look():
            figure = Figure()
            figure.subplots().set_title(name)
        with warnings.catch_warnings(action="error"):
            return style.save(figure, tmp_path / "figure.svg").read_text(encoding="utf-8")

    assert ">診断 甲</text>" in drawn("診断 甲")
    assert "<text" not in drawn("Zürich")
