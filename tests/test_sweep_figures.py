"""The sweep's pictures and its report, from made-up sweeps whose truth is known."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from matplotlib import image

from mlp_opt.figures import numbers, sweep
from mlp_opt.figures.curves import png
from mlp_opt.figures.report import figures_of, report

SCALES = {"learning_rate": "log", "l2": "log", "batch_size": "log", "hidden": "category", "optimizer": "category", "activation": "category"}
SCALES["optimizer_options.momentum"] = "linear"
PEAK = {"sgd": -0.7, "momentum": -1.5, "adam": -2.7, "rmsprop": -3.0}  # log10 of the best learning rate
CELLS = (("sgd", "adam"), ("64", "64-64"), (1e-3, 1e-2, 1e-1))


def settings(rng, n):
    """A random search: `n` trials, each hyperparameter's column."""
    optimizer = rng.choice(list(PEAK), n)
    return {
        "learning_rate": 10 ** rng.uniform(-5, 0.5, n),
        "l2": 10 ** rng.uniform(-6, -2, n),
        "batch_size": 2 ** rng.integers(4, 9, n),
        "hidden": rng.choice(["", "16", "64", "64-64", "256-128"], n),
        "optimizer": optimizer,
        "activation": rng.choice(["relu", "tanh"], n),
        "optimizer_options.momentum": [float(rng.uniform(0.5, 0.99)) if name == "momentum" else None for name in optimizer],
    }


def lanes(rng, columns, metric="accuracy", seeds=1):
    """The table of a sweep in which the learning rate matters most and large rates diverge."""
    n = len(columns["learning_rate"])
    columns = {name: list(np.repeat(np.array(values, object), seeds)) for name, values in columns.items()}
    m = n * seeds
    rate = np.log10(np.array(columns["learning_rate"], float))
    off = rate - [PEAK[name] for name in columns.get("optimizer", ["adam"] * m)]
    width = [sum(map(int, re.findall(r"\d+", h))) for h in columns.get("hidden", ["64"] * m)]
    accuracy = 0.98 - np.where(off > 0, 0.25, 0.09) * off**2 - 0.05 / (1 + np.array(width) / 16) + rng.normal(0, 0.008, m)
    accuracy = np.clip(accuracy, 0.1 + 0.02 * rng.random(m), 0.995)
    score = accuracy if metric == "accuracy" else 1 - 2 * (1 - accuracy) - 40 * (1 - accuracy) ** 4
    bad = off + rng.normal(0, 0.2, m) > 1.4
    loss = np.where(bad, np.nan, (1 - accuracy) * 2 + 0.01)
    score = np.where(bad, np.nan, score)
    one, status = np.zeros(m, int), np.where(bad, "diverged", rng.choice(["finished", "patience"], m))
    at = [int(step) if b else None for step, b in zip(rng.integers(1, 90, m), bad, strict=True)]
    who = {"trial": np.repeat(np.arange(n), seeds), "fold": one, "repeat": one, "seed": np.tile(np.arange(seeds), n), "bracket": one}
    fate = {"rung": one, "status": status, "epochs": np.where(bad, 3, 20), "best_epoch": one + 2, "diverged_at": at, "value": loss}
    parts = {f"{part}_{what}": v for part in ("train", "val", "test") for what, v in (("loss", loss), (metric, score))}
    table = pl.DataFrame(who | fate | parts | {"seconds": np.full(m, 0.1)}).fill_nan(None)
    return table.with_columns(*[pl.Series(name, values) for name, values in columns.items()])


def grid(rng, metric="accuracy", seeds=3):
    optimizer, hidden, rate = zip(*[(o, h, r) for o in CELLS[0] for h in CELLS[1] for r in CELLS[2]], strict=True)
    return lanes(rng, {"learning_rate": rate, "optimizer": optimizer, "hidden": hidden}, metric, seeds)


def without_validation(table, metric="accuracy"):
    return table.with_columns(*[pl.lit(None, pl.Float64).alias(name) for name in ("value", "val_loss", f"val_{metric}")])


def all_diverged(table):
    nothing = [pl.lit(None, pl.Float64).alias(c) for c in table.columns if c == "value" or re.match("(train|val|test)_", c)]
    return table.with_columns(*nothing, status=pl.lit("diverged"), diverged_at=pl.lit(7))


def sweeps(kind, n=200):
    """(table, metric) of each kind of sweep."""
    rng = np.random.default_rng(0)
    metric = "r2" if kind == "regression" else "accuracy"
    if kind == "grid":
        return grid(rng), metric
    if kind in ("single", "three rates"):
        rates = [1e-3, 1e-2, 1e-1] if kind == "three rates" else 10 ** rng.uniform(-5, -0.5, 40)
        return lanes(rng, {"learning_rate": rates}, seeds=2), metric
    if kind == "categories":
        return lanes(rng, settings(rng, 30)).drop("learning_rate", "l2", "batch_size", "optimizer_options.momentum"), metric
    table = lanes(rng, settings(rng, n), metric)
    change = {"no validation": without_validation, "all diverged": all_diverged, "two lanes": lambda t: t.head(2)}
    return change.get(kind, lambda t: t)(table), metric


KINDS = ["grid", "random", "regression", "single", "three rates", "categories", "no validation", "all diverged", "two lanes"]


def varied(table):
    return [name for name in SCALES if name in table.columns]


def halving(table, metric, brackets=2):
    """The table's lanes at the end of three rungs: each time the better third goes on."""
    parts = []
    for b in range(brackets):
        alive = table.filter(pl.col("trial") % brackets == b).with_columns(bracket=pl.lit(b))
        for rung in range(b, 3):
            factor = [0.6, 0.85, 1][rung]
            parts.append(alive.with_columns(pl.col(f"val_{metric}") * factor, rung=pl.lit(rung - b), epochs=pl.lit(2 * 3**rung)))
            alive = alive.filter(pl.col("status") != "diverged").sort("value").head(max(alive.height // 3, 1))
    return pl.concat(parts)


def histories(table, metric, validation=True, n=20):
    """A history of each trial; the better the trial, the lower its loss."""
    e, found = np.arange(1, n + 1), {}
    for place, trial in enumerate(table.sort("value", nulls_last=True)["trial"].unique(maintain_order=True).to_list()):
        worse = 0.02 * place
        found[trial] = {"epoch": e, "train_loss": 1 / e + worse, f"train_{metric}": 0.98 - 0.5 / e - worse}
        if validation:
            found[trial] |= {"val_loss": 1.2 / e + 2 * worse, f"val_{metric}": 0.95 - 0.6 / e - worse}
    return found


def drawn(table, metric, kind="random"):
    past = {} if kind == "all diverged" else histories(table, metric, kind != "no validation")
    rungs = halving(table, metric) if kind in ("random", "regression", "all diverged") else table
    return figures_of(table, rungs, past, varied(table), SCALES, metric, 21.3, "two moons, one H200")


ALL = {"headline", "sensitivity", "importance", "heat", "best_curves", "brackets"}
MISSING = {  # a forest that predicts no better than the mean has nothing to tell: 12 trials, or only categories that matter little
    "grid": {"importance", "brackets"},
    "single": {"importance", "heat", "brackets"},
    "three rates": {"importance", "heat", "brackets"},
    "categories": {"sensitivity", "importance", "brackets"},
    "no validation": {"brackets"},
    "all diverged": {"importance", "best_curves", "brackets"},  # nobody reaches the second rung
    "two lanes": {"importance", "brackets"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_sweep_gets_the_figures_that_it_allows(kind):
    table, metric = sweeps(kind)
    figures = drawn(table, metric, kind)
    assert set(figures) == ALL - MISSING.get(kind, set())
    for figure in figures.values():
        assert image.imread(io.BytesIO(png(figure)))[..., :3].std() > 0.03


def gid(figure, name):
    return figure.findobj(match=lambda artist: artist.get_gid() == name)


def headline(table, metric):
    return sweep.headline(table, 21.3, "two moons, one H200", metric)


@pytest.mark.parametrize("stem", ["headline", "sensitivity"])
@pytest.mark.parametrize("kind", ["random", "regression", "all diverged"])
def test_every_lane_is_drawn_once(stem, kind):
    table, metric = sweeps(kind)
    figure = headline(table, metric) if stem == "headline" else sweep.sensitivity(table, varied(table), SCALES, metric)
    bad = table.filter(pl.col("status") == "diverged")
    crosses = np.concatenate([line.get_xdata() for line in gid(figure, "diverged")])
    np.testing.assert_array_equal(np.sort(crosses), bad["learning_rate"].sort())
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert f"diverged ({bad.height})" in labels
    below = table.filter((pl.col("status") != "diverged") & (pl.col(f"val_{metric}") < -0.2)).height
    assert sum(len(line.get_xdata()) for line in gid(figure, "below")) == below
    assert (f"below -0.2 ({below})" in labels) == (below > 0)
    if stem == "headline":
        assert sum(len(dots.get_offsets()) for dots in gid(figure, "networks")) == table.height - bad.height - below


def test_headline_says_how_many_in_how_long_and_rings_the_highest():
    table, metric = sweeps("random", 1200)
    figure = headline(table, metric)
    (axes,) = figure.axes
    assert axes.get_title().strip() == "1,200 networks in 21 s"
    assert axes.get_title(loc="left") == "two moons, one H200"
    (ring,) = gid(figure, "best")
    best = table.sort("val_accuracy", descending=True, nulls_last=True).row(0, named=True)
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (best["learning_rate"], best["val_accuracy"])
    assert axes.texts[0].get_text() == f"highest: {best['val_accuracy']:.1%}"
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "learning rate", "validation accuracy")
    sizes = np.concatenate([dots.get_sizes() for dots in gid(figure, "networks")])
    assert len(np.unique(sizes)) == 5  # one for each width


@pytest.mark.parametrize(("seconds", "said"), [(4.21, "4.2 s"), (9.97, "10 s"), (21.3, "21 s"), (200, "3 min 20 s"), (3725, "1 h 2 min")])
def test_durations_are_for_people(seconds, said):
    assert sweep.duration(seconds) == said


def test_sensitivity_is_the_median_with_diverged_lanes_as_the_worst():
    table, metric = grid(np.random.default_rng(0), seeds=9), "accuracy"
    figure = sweep.sensitivity(table, varied(table), SCALES, metric)
    axes, strip = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    for name in CELLS[0]:
        for at, rate in enumerate(CELLS[2]):
            cell = table.filter((pl.col("optimizer") == name) & (pl.col("learning_rate") == rate))
            lost = (cell["status"] == "diverged").sum()
            expected = np.sort(cell["val_accuracy"].fill_null(axes.get_ylim()[0]))[8]  # the 9th of 18
            assert lines[name].get_ydata()[at] == pytest.approx(expected)
            assert strip.lines[CELLS[0][::-1].index(name)].get_ydata()[at] == lost / cell.height
    assert 0 < table.filter(pl.col("status") == "diverged").height < table.height


def test_sensitivity_without_a_learning_rate_takes_another_number():
    table, metric = sweeps("random")
    names = [name for name in varied(table) if name != "learning_rate"]
    assert sweep.sensitivity(table, names, SCALES, metric).axes[-1].get_xlabel() == "l2"
    zeros = table.with_columns(l2=pl.Series(np.tile([0.0, 1e-5, 1e-4, 1e-3], 50)))
    assert sweep.sensitivity(zeros, names, SCALES, metric).axes[0].get_xscale() == "symlog"
    assert sweep.sensitivity(table, ["hidden", "optimizer"], SCALES, metric) is None


def test_importances_rank_what_matters_first():
    table, _ = sweeps("random", 256)
    shares = sweep.importances(table, varied(table), SCALES)
    assert list(shares) == varied(table)
    assert sum(shares.values()) == pytest.approx(1)
    assert sorted(shares, key=shares.get)[::-1][:2] == ["learning_rate", "optimizer"]
    assert min(shares["learning_rate"], shares["optimizer"]) > 0.2
    assert shares["optimizer_options.momentum"] < 0.05  # set only for one optimizer, which should get the credit
    assert sweep.chosen(table, varied(table), SCALES) == ("learning_rate", "optimizer")
    assert shares == sweep.importances(table, varied(table), SCALES)


def test_importances_see_the_hyperparameter_behind_the_value_and_the_divergence():
    rng = np.random.default_rng(1)
    table = lanes(rng, settings(rng, 120)).with_columns(status=pl.lit("finished"))
    by_l2 = table.with_columns(value=(pl.col("l2").log10() + 4) ** 2)
    shares = sweep.importances(by_l2, varied(table), SCALES)
    assert max(shares, key=shares.get) == "l2"
    lost = table.with_columns(
        value=pl.lit(0.5), status=pl.when(pl.col("activation") == "tanh").then(pl.lit("diverged")).otherwise("status")
    )
    assert sweep.importances(lost, varied(table), SCALES)["activation"] > 0.95
    worst = pl.when((pl.col("activation") == "tanh") & (pl.col("trial") % 2 == 0)).then(pl.lit("diverged")).otherwise("status")
    half = table.with_columns(value=(pl.col("activation") == "tanh").cast(pl.Float64), status=worst)
    assert sweep.explained(half, varied(table), SCALES)[1] > 0.7  # tanh and diverged are at the same end of the ranking


def test_importances_where_nothing_can_be_told():
    table, _ = sweeps("random")
    assert sweep.importances(table, ["l2"], SCALES) == {"l2": 1.0}
    for few in (table.head(7), all_diverged(table)):
        assert set(sweep.importances(few, varied(table), SCALES).values()) == {0.0}
        assert sweep.importance(few, varied(table), SCALES, "accuracy") is None
        assert sweep.chosen(few, varied(table), SCALES) == ("learning_rate", "optimizer")
    assert sweep.chosen(table, ["l2"], SCALES) is None


def test_heat_shows_the_median_and_hatches_what_diverged():
    table = grid(np.random.default_rng(0), seeds=9)
    figure = sweep.heat(table, "learning_rate", "optimizer", SCALES, "accuracy")
    axes = figure.axes[0]
    shown, hatched = axes.images[0].get_array(), gid(figure, "diverged")
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["adam", "sgd"]
    for r, name in enumerate(("adam", "sgd")):
        for c, rate in enumerate(CELLS[2]):
            cell = table.filter((pl.col("optimizer") == name) & (pl.col("learning_rate") == rate))
            if (cell["status"] == "diverged").mean() >= 0.5:
                assert np.ma.is_masked(shown[r, c])
                assert (c - 0.5, r - 0.5) in [patch.get_xy() for patch in hatched]
            else:
                assert shown[r, c] == np.sort(cell["val_accuracy"].fill_null(-1))[8]
    assert len(hatched) == 1


def test_widths_are_ordered_by_depth_and_size():
    table = pl.DataFrame({"hidden": ["64-64", "256", "", "64", "16-8", None]})
    assert [g.name for g in numbers.groups(table, "hidden")] == ["none", "64", "256", "16-8", "64-64", "none"]


def test_best_curves_are_the_ten_best_in_order():
    table, metric = sweeps("random")
    past = histories(table, metric)
    figure = sweep.best_curves(past, table, metric)
    best = table.filter(pl.col("status") != "diverged").sort("value")["trial"].head(10).to_list()
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [f"trial {trial}" for trial in best]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines[f"trial {best[3]}"].get_ydata(), past[best[3]]["val_loss"])
    assert sweep.best_curves({}, table, metric) is None
    by_training = sweep.best_curves(past, without_validation(table), metric)
    assert [t.get_text() for t in by_training.legends[0].get_texts()] == [f"trial {trial}" for trial in best]


def test_brackets_show_who_was_dropped():
    table, metric = sweeps("random")
    rungs = halving(table, metric)
    figure = sweep.brackets(rungs, metric)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["bracket 0: 100 → 33 → 11", "bracket 1: 100 → 33"]
    first = figure.axes[0]
    ends = {
        line.get_gid(): np.asarray(line.get_ydata(), float).reshape(-1, 4)
        for line in first.lines
        if line.get_gid() != "diverged" and line.get_gid()
    }
    assert np.isfinite(ends["reached the last rung"][:, 2]).sum() == 11
    assert np.isfinite(ends["dropped"]).sum(axis=0).tolist()[1:] == [22, 0, 0]
    bad = table.filter((pl.col("status") == "diverged") & (pl.col("trial") % 2 == 0)).height
    assert sum(len(line.get_xdata()) for line in first.lines if line.get_gid() == "diverged") == bad
    assert sweep.brackets(table, metric) is None


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.images, self.cells = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        if self.tags and self.tags[-1] in ("td", "th") and data.strip():
            self.cells.append(data)


def test_report_is_one_safe_page_with_every_picture():
    table, metric = sweeps("random")
    figures = drawn(table, metric)
    evil = "<script>alert('&')</script>"
    board = pl.DataFrame({"trial": [3, 1], evil: [evil, "adam"], "value": [0.123456, float("nan")], "l2": [None, 1e-5]})
    pictures = figures | {evil: figures["heat"]}
    text = report(evil, [evil, "256 trials"], board, pictures, {stem: png(figure) for stem, figure in pictures.items()}, [evil])
    page, bare = Page(text), re.sub(r"base64,[\w+/=]+", "", text)
    assert "script" not in page.tags
    assert bare.count("&lt;script&gt;") >= 6
    assert not re.search(r"http|src=.(?!data:)|href|url\(|@import", bare)
    assert page.cells == ["trial", evil, "value", "l2", "3", evil, "0.1235", "–", "1", "adam", "–", "1e-05"]
    assert len(page.images) == len(figures) + 1 == page.tags.count("figcaption")
    for picture in page.images:
        pixels = image.imread(io.BytesIO(base64.b64decode(picture["src"].removeprefix("data:image/png;base64,"))))
        assert pixels[..., :3].std() > 0.03
        assert len(picture["alt"]) > 10
    assert text.index('id="headline"') < text.index("<table>") < text.index('id="sensitivity"')
    assert "prefers-color-scheme: dark" in text


def test_report_of_nothing_is_still_a_page():
    page = Page(report("empty", [], pl.DataFrame(), {}, {}, []))
    assert page.images == []
    assert "table" not in page.tags
