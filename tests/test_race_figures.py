"""The pictures of races hold the numbers of the races; the command leaves what it says, and refuses what it cannot do."""

import io
import json
import xml.etree.ElementTree
from html.parser import HTMLParser
from itertools import pairwise

import jax
import numpy as np
import polars as pl
import pytest
from matplotlib.image import imread
from PIL import Image

from mlp_opt import cli
from mlp_opt.figures.animation import gif
from mlp_opt.figures.looks import LOOKS
from mlp_opt.figures.race import race_picture
from mlp_opt.figures.race_gallery import GALLERY
from mlp_opt.figures.race_gif import race_frames
from mlp_opt.figures.race_maps import basin_map, fair_picture, heat_map
from mlp_opt.figures.relief import relief
from mlp_opt.races.fair import Result
from mlp_opt.races.maps import DIVERGED, NONE, Basins, Heat
from mlp_opt.races.paths import make, race
from mlp_opt.surfaces import SURFACES, from_expression

pytestmark = pytest.mark.implicit_promotion


@pytest.fixture(scope="module")
def run():
    """Three optimizers, one of which diverges."""
    with jax.enable_x64(True):
        surface = SURFACES["himmelblau"]
        rates = {"sgd": 0.005, "momentum": 1.0, "adam": 0.3}
        return surface, race(surface, {name: make(name, rate) for name, rate in rates.items()}, steps=30), rates


def test_a_race_is_drawn_from_its_paths(run):
    surface, paths, rates = run
    assert not np.isfinite(paths["momentum"].loss[-1])
    figure = race_picture(surface, paths, rates, {"adam": paths["adam"].w}, gap=1e-15)
    above, losses, _ = figure.axes
    for name in ("sgd", "adam"):
        drawn = next(one for one in above.lines if one.get_gid() == name)
        np.testing.assert_array_equal(np.column_stack(drawn.get_data()), paths[name].w)
        assert (drawn.get_color(), drawn.get_linestyle()) == LOOKS[name][:2]
    np.testing.assert_allclose(losses.lines[0].get_ydata(), np.maximum(paths["sgd"].loss, 1e-12))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["sgd, 0.005", "momentum, 1", "adam, 0.3"]
    assert any("at most 1.0e-15 away" in text.get_text() for text in above.texts)
    stars = next(one for one in above.lines if one.get_gid() == "minima")
    np.testing.assert_array_equal(np.column_stack(stars.get_data()), surface.minima)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=50)
    assert imread(io.BytesIO(buffer.getvalue()))[..., :3].std() > 0.05


def test_frames_move_and_each_optimizer_keeps_its_colour(run):
    surface, paths, rates = run
    frames = list(race_frames(surface, paths, rates, "title", frames=6, arrows=True))
    assert len(frames) == 6
    assert {frame.shape for frame in frames} == {(560, 1100, 3)}
    assert all((one != other).any() for one, other in pairwise(frames))
    image = Image.open(io.BytesIO(gif(frames)))
    assert image.n_frames == 6
    image.seek(3)
    shown = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    for name in ("sgd", "adam"):  # after 256 colours for all frames, each line's own is still there
        color = [int(LOOKS[name].color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(shown - color).max(1) <= 24).sum() > 50, name


def test_one_frame_and_one_step():
    surface = SURFACES["saddle"]
    paths = race(surface, {"sgd": make("sgd", 0.1)}, steps=1)
    assert len(list(race_frames(surface, paths, None, "", frames=9, arrows=False))) == 2


@pytest.mark.parametrize("name", ["rosenbrock", "cliff", "saddle", "beale"])
def test_a_relief_is_monotone_and_its_ticks_tell_f(name):
    land = relief(SURFACES[name], 41)
    f = np.linspace(land.low, land.low + 10, 50)
    assert (np.diff(land.squeeze(f)) > 0).all()
    ticks = land.ticks()
    assert (ticks is None) == (land.scale is None) == (name == "saddle")
    if ticks:
        at, labels = ticks
        assert len(at) == len(labels) >= 2
        assert np.diff(at).min() > 0.1 * np.nanmax(land.t), "no labels on top of each other"


def test_a_surface_with_holes_is_drawn():
    surface = from_expression("log(x) + y**2", x=(-1.0, 2.0), start=(1.0, 1.0))
    figure = race_picture(surface, race(surface, {"sgd": make("sgd", 0.1)}, steps=20))
    figure.savefig(io.BytesIO(), dpi=40)


@pytest.mark.parametrize("name", ["himmelblau", "rastrigin"])
def test_basin_maps_show_every_label(name):
    axis = np.linspace(-5, 5, 3)
    label = np.array([[0, 1, 2], [3, NONE, DIVERGED], [0, 0, 0]])
    found = Basins(axis, axis, label, np.where(label < 0, -1, 7), 0.1, 50)
    figure = basin_map(SURFACES[name], {"sgd": found, "adam": found}, {"sgd": 0.1, "adam": 0.2})
    top, steps = figure.axes[0], figure.axes[2]
    assert "78 % of the starts reach a minimum" in top.get_title(loc="left")
    assert np.ma.count_masked(steps.images[0].get_array()) == 2
    if name == "himmelblau":
        keys = [text.get_text() for text in figure.legends[0].get_texts()]
        assert keys[0] == "(3, 2), f = 0"
        assert keys[-2:] == ["no minimum reached", "diverged"]
        colors = {tuple(top.images[0].to_rgba(np.array([[k - DIVERGED]]))[0, 0]) for k in np.unique(label)}
        assert len(colors) == 6
    figure.savefig(io.BytesIO(), dpi=40)


def test_heat_maps_mark_the_best_and_mask_what_diverged():
    loss = np.array([[1.0, np.nan, 3.0], [0.5, 0.25, np.inf]])
    found = Heat(np.array([0.01, 0.1, 1.0]), "momentum", np.array([0.0, 0.9]), loss, None, 50)
    figure = heat_map(SURFACES["booth"], {"momentum": found})
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "best: rate 0.1, momentum 0.9"
    assert np.ma.count_masked(axes.collections[0].get_array()) == 2
    figure.savefig(io.BytesIO(), dpi=40)
    heat_map(SURFACES["booth"], {"momentum": found._replace(loss=loss * np.nan)}).savefig(io.BytesIO(), dpi=40)


@pytest.mark.parametrize("target", [None, 0.1])
def test_a_fair_picture_ranks_and_tells_misses(target):
    rates = np.geomspace(0.01, 1, 3)
    good = np.array([[5.0, 6.0, 7.0], [1.0, 2.0, 3.0], [2.0, np.inf, np.inf]])
    results = {
        "sgd": Result(rates, np.full((3, 3), np.inf), 0.1, np.full(4, np.inf), np.full(3, np.inf), 1.0, 50),
        "adam": Result(rates, good, 0.1, np.array([1.0, 2.0, 3.0, np.inf]), np.array([1.0, 2.0, np.inf]), 0.25, 50),
    }
    figure = fair_picture(SURFACES["booth"], results, target)
    board = figure.axes[1]
    assert [text.get_text() for text in board.get_yticklabels()] == ["adam", "sgd"]
    said = " ".join(text.get_text() for text in board.texts)
    assert "median 2 at rate 0.1, 25 % missed" in said
    assert "median: missed (100 %)" in said
    figure.savefig(io.BytesIO(), dpi=40)


def test_the_gallery_s_entries_are_told_apart():
    assert len({entry.name for entry in GALLERY}) == len(GALLERY) >= 6
    for entry in GALLERY:
        assert entry.caption.endswith(".")
        assert entry.notes.endswith(".")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


class Page(HTMLParser):
    """Collects the addresses that a page asks for and its pictures."""

    def __init__(self):
        super().__init__()
        self.sources = []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for key, value in attrs if key in ("src", "href")]


def test_race_leaves_pictures_tables_and_a_page(here, capsys):
    line = "race --expression (x**2-1)**2+y**2 --start -1.5,1 --optimizers sgd,adam --rates sgd=0.05 --steps 20"
    assert cli.main([*line.split(), "--optax", "--basins", "--json", "--out", "r"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {p.name for p in (here / "r").iterdir()} == {
        "race.png", "race.svg", "race.gif", "race.csv", "paths.csv", "basins.png", "basins.svg", "report.html",
    }  # fmt: skip
    with jax.enable_x64(True):
        surface = from_expression("(x**2-1)**2+y**2", start=(-1.5, 1.0))
        path = race(surface, {"sgd": make("sgd", 0.05)}, steps=20)["sgd"]
    table = pl.read_csv(here / "r" / "paths.csv")
    mine = table.filter(pl.col("optimizer") == "sgd")
    np.testing.assert_allclose(mine.select("x", "y"), path.w, rtol=1e-12)
    np.testing.assert_allclose(mine.select("optax_x", "optax_y"), path.w, rtol=1e-12)
    row = next(row for row in result["race"] if row["optimizer"] == "sgd")
    assert row["last loss"] == pytest.approx(path.loss[-1])
    assert row["to nearest minimum"] == pytest.approx(np.hypot(path.w[-1, 0] + 1, path.w[-1, 1]), abs=1e-9)
    assert row["largest difference to optax"] <= 1e-12
    assert [row["last loss"] for row in result["race"]] == sorted(row["last loss"] for row in result["race"])
    page = (here / "r" / "report.html").read_text()
    reader = Page()
    reader.feed(page)
    assert len(reader.sources) == 3
    assert all(source.startswith("data:image/") for source in reader.sources)
    assert "http" not in page.replace("http-equiv", "")
    assert xml.etree.ElementTree.parse(here / "r" / "race.svg").getroot().tag.endswith("svg")
    assert Image.open(io.BytesIO((here / "r" / "race.gif").read_bytes())).n_frames == 21


def test_fair_and_heat_are_told_and_written(here, capsys):
    line = "race booth --optimizers sgd --steps 5 --fair --target 1 --heat --no-gif --seed 3"
    assert cli.main(line.split()) == 0
    out = capsys.readouterr().out
    assert "each at its best of 36 rates" in out
    folder = here / "runs" / "race-booth-1"
    assert pl.read_csv(folder / "fair.csv")["gradients a run"].to_list() == [5]
    assert not (folder / "race.gif").exists()
    assert (folder / "heat.png").stat().st_size > 1000


def test_a_race_that_all_lose_says_so(here, capsys):
    assert cli.main(["race", "rosenbrock", "--optimizers", "sgd", "--rates", "sgd=10", "--steps", "30", "--no-gif", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["race"][0]["last loss"] is None
    assert "every path has left the finite numbers" in err


BAD = [
    ("race", "name a surface or give --expression"),
    ("race booth --expression x", "one of the two"),
    ("race boot", "did you mean 'booth'"),
    ("race --expression __import__", "unknown name '__import__'"),
    ("race --expression x+", "invalid syntax"),
    ("race --expression log(x) --start -1,0", "not finite at the start -1,0"),
    ("race --expression x --x 2,1", "domain of x must be two numbers, the lower first, got 2,1"),
    ("race booth --x 0,1", "--x and --y belong to --expression"),
    ("race booth --start 1", "--start must be two numbers, as --start=-1,2, got 1"),
    ("race booth --start nan,1", "--start must be two numbers"),
    ("race booth --start one,two", "--start: 'one' is not a number"),
    ("race booth --optimizers adm", "did you mean 'adam'"),
    ("race booth --optimizers none", "--optimizers: name at least one"),
    ("race booth --rates adam=-1", "learning rate of adam must be a number > 0, got -1"),
    ("race booth --rates adm=1", "did you mean 'adam'"),
    ("race booth --optimizer-options adam.b3=1", "unknown option of optimizer adam 'b3'"),
    ("race booth --optimizer-options b1=1", "unknown optimizer in --optimizer-options 'b1'"),
    ("race booth --schedule cosin", "did you mean 'cosine'"),
    ("race booth --steps 0", "--steps must be a whole number from 1 to 100000, got 0"),
    ("race booth --seed -1", "--seed must be"),
    ("race booth --condition 3", "unknown parameter of surface booth 'condition'"),
    ("race quadratic --condition 0", "must be a number > 0, got 0"),
    ("race saddle --fair", "--fair on saddle, which has no lowest loss, needs --target"),
    ("race saddle --basins", "--basins: no minimum of saddle is known"),
    ("race booth --fair --target inf", "--target must be a number"),
    ("race booth --out full", "full already holds files"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(line, message, here, capsys):
    (here / "full").mkdir()
    (here / "full" / "precious").write_text("keep me")
    assert cli.main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mlp-opt: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (here / "runs").exists()
