"""`mlp-opt landscape` and its figures."""

import json
import os

import jax
import numpy as np
import pytest
from matplotlib import image

import mlp_opt as mo
from mlp_opt import cli
from mlp_opt.config import TrainConfig
from mlp_opt.diagnose import hessian, landscape
from mlp_opt.diagnose import plane as planes
from mlp_opt.figures import landscape as draw
from mlp_opt.figures import landscapes as gallery
from mlp_opt.figures import sharpness
from mlp_opt.figures.looks import LOOKS

pytestmark = pytest.mark.implicit_promotion

QUICK = "--epochs 3 --hidden 8 --grid 7 --hessian-rows 50"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):  # the command sets them if they are not
        monkeypatch.setenv(name, os.environ.get(name, "0" if "SECS" in name else str(tmp_path / "cache")))


@pytest.fixture(scope="module")
def runs():
    config = TrainConfig("iris", hidden=(8,), epochs=3)
    return landscape.recorded(landscape.prepared(config, landscape.rates_of(("sgd", "adam"), {"sgd": 0.5})))


@pytest.fixture(scope="module")
def view(runs):
    return landscape.views(runs, "pca", 9)[0]


def test_the_runs_start_from_the_same_weights_on_the_same_rows(runs):
    assert runs.rates == {"sgd": 0.5, "adam": landscape.RATES["adam"]}
    first, second = (jax.tree.leaves(path.snapshots) for path in runs.paths.values())
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    loss, _ = mo.evaluate(runs.model, runs.paths["adam"].last, runs.X, runs.y)
    assert float(loss) < 3


def test_the_plane_holds_every_path_and_its_loss(runs, view):
    for name, (epochs, shadow) in view.shadows.items():
        assert epochs.tolist() == [0, 1, 2, 3]
        low, high = ((min(axis), max(axis)) for axis in (view.surface.xs, view.surface.ys))
        assert (shadow.at > (low[0], high[0])).all()
        assert (shadow.at < (low[1], high[1])).all()
        expected = planes.measure(runs.model, runs.paths[name].snapshots, runs.X, runs.y)[0]
        np.testing.assert_array_equal(shadow.loss, expected)
    assert 0.5 < view.shares.sum() <= 1 + 1e-9


def test_random_planes_have_their_solution_in_the_middle(runs):
    seen = landscape.views(runs, "random", 5)
    assert [v.title for v in seen] == ["sgd", "adam"]
    for v in seen:
        loss, score = mo.evaluate(runs.model, runs.paths[v.title].last, runs.X, runs.y)
        assert (v.surface.loss[2, 2], v.surface.score[2, 2]) == pytest.approx((float(loss), float(score)), rel=1e-5)


def test_the_plane_is_drawn_as_it_was_computed(runs, view):
    figure = draw.plane(view, runs.rates, "title")
    main, above, below = figure.axes[0], figure.axes[1], figure.axes[2]
    drawn = {line.get_label(): line for line in main.lines if not line.get_label().startswith("_")}
    assert list(drawn) == ["sgd, rate 0.5", "adam, rate 0.002", "start"]
    for name, label in (("sgd", "sgd, rate 0.5"), ("adam", "adam, rate 0.002")):
        np.testing.assert_array_equal(np.transpose(drawn[label].get_data()), view.shadows[name][1].at)
        assert drawn[label].get_color() == LOOKS[name].color
    assert f"{view.shares[0]:.0%} of variance" in main.get_xlabel()
    assert f"{view.shares[1]:.0%} of variance" in main.get_ylabel()
    np.testing.assert_array_equal(below.lines[0].get_ydata(), view.shadows["sgd"][1].gap)
    np.testing.assert_array_equal(above.lines[1].get_ydata(), view.shadows["sgd"][1].on_plane)


def test_the_surface_hides_no_number(runs, view):
    (axes,) = draw.surface(view, runs.rates, "title").axes
    x, y, z = (np.asarray(v, np.float64) for v in axes.lines[1].get_data_3d())
    shadow = view.shadows["sgd"][1]
    np.testing.assert_allclose(np.stack([x, y], axis=1), shadow.at)
    assert np.abs(10**z / np.clip(shadow.on_plane, view.surface.loss.min(), view.surface.loss.max()) - 1).max() < 0.15  # lifted a little


def test_a_surface_that_is_not_finite_everywhere_is_still_drawn(view, runs):
    loss = view.surface.loss.copy()
    loss[0], loss[1, 1] = np.inf, np.nan
    broken = view._replace(surface=view.surface._replace(loss=loss))
    assert draw.plane(broken, runs.rates, "title").axes
    assert draw.around([broken], {}, "title").axes


def test_lines_and_eigenvalues_are_drawn_as_they_were_computed(runs):
    grown, between = landscape.lines(runs, points=7)
    assert list(between) == [("sgd", "adam")]
    figure = sharpness.interpolation(grown, between, runs.metric, "title")
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), grown["sgd"].loss)
    np.testing.assert_array_equal(figure.axes[3].lines[0].get_ydata(), between["sgd", "adam"].score)
    epochs, found = landscape.sharpness(runs, rows=50, points=2)["sgd"]
    assert epochs.tolist() == [0, 3]
    path = runs.paths["sgd"].thinned(2)
    np.testing.assert_array_equal(found.top, hessian.eigenvalues(runs.model, path.snapshots, runs.X[:50], runs.y[:50]).top)
    shown = sharpness.Sharpness("sgd", "#000000", "-", epochs, found.top[:, 0], 4.0, runs.paths["sgd"].run.history)
    above, _ = sharpness.sharpness([shown], "title", "small").axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), found.top[:, 0])
    assert above.lines[1].get_ydata()[0] == 4.0


@pytest.mark.parametrize(
    ("optimizer", "options", "limit"),
    [("sgd", {}, 20), ("momentum", {}, 38), ("sgd", {"momentum": 0.5}, 30), ("momentum", {"nesterov": True}, None), ("adam", {}, None)],
)
def test_the_curvature_at_which_steps_diverge(optimizer, options, limit):
    assert landscape.stable_below(optimizer, 0.1, options) == (None if limit is None else pytest.approx(limit))
    if limit is None:
        return
    rule = mo.OPTIMIZERS[optimizer](0.1, **options)
    for curvature, falls in ((0.97 * limit, True), (1.03 * limit, False)):  # on curvature/2 w^2, whose gradient is curvature w
        w, state = np.float32(1), rule.init(np.float32(1))
        for _ in range(100):
            update, state = rule.update(np.float32(curvature) * w, state, w)
            w = np.float32(w + update)
        assert (abs(w) < 1) == falls


def test_the_command_leaves_pictures_numbers_and_a_report(tmp_path, capsys):
    assert cli.main(f"landscape iris --optimizers sgd,adam --learning-rates sgd=0.3 {QUICK} --out a --json".split()) == 0
    result = json.loads(capsys.readouterr().out)
    names = ("plane", "surface", "interpolation", "sharpness")
    expected = {f"{n}.{kind}" for n in names for kind in ("png", "svg")} | {"config.toml", "landscape.npz", "report.html", "result.json"}
    assert {p.name for p in (tmp_path / "a").iterdir()} == expected
    assert [(run["optimizer"], run["learning rate"]) for run in result["runs"]] == [("sgd", 0.3), ("adam", 0.002)]
    for name in names:
        assert image.imread(tmp_path / "a" / f"{name}.png")[..., :3].std() > 0.03
    numbers = np.load(tmp_path / "a" / "landscape.npz", allow_pickle=False)
    assert numbers["plane/loss"].shape == (7, 7)
    gap = np.abs(numbers["path/adam/loss"] - numbers["path/adam/on_plane"]).max()
    assert result["runs"][1]["largest gap"] == pytest.approx(gap)
    page = (tmp_path / "a" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page


def test_a_run_of_train_is_trained_again_and_its_model_marked(tmp_path, capsys):
    assert cli.main(["train", "iris", "--epochs", "3", "--hidden", "8", "--validation", "0", "--learning-rate", "0.01", "--out", "r"]) == 0
    assert cli.main(["landscape", "--run", "r", "--grid", "5", "--hessian-rows", "0", "--plane", "random", "--out", "b"]) == 0
    assert "adam" in capsys.readouterr().out
    numbers = np.load(tmp_path / "b" / "landscape.npz")
    saved = mo.load("r")
    assert numbers["plane/saved model/loss"][2, 2] == pytest.approx(saved.about["metrics"]["train_loss"], rel=1e-5)
    config, params = landscape.opened(tmp_path / "r")
    again = landscape.recorded(landscape.prepared(config, {"adam": 0.01}), params)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(again.paths["adam"].last), jax.tree.leaves(params), strict=True))


def test_runs_that_diverge_are_told_and_not_drawn(tmp_path, capsys):
    line = "landscape diabetes --optimizers sgd,adam --epochs 3 --hidden 8 --grid 5 --hessian-rows 0 --json --out c"
    assert cli.main([*line.split(), "--learning-rates", "sgd=1e9"]) == 0
    out, err = capsys.readouterr()
    assert "sgd diverged at step" in err
    assert [run["ended"] for run in json.loads(out)["runs"]] == ["diverged", "finished"]
    numbers = np.load(tmp_path / "c" / "landscape.npz")
    assert "path/adam/at" in numbers
    assert "path/sgd/at" not in numbers
    assert (
        cli.main(
            [
                "landscape",
                "diabetes",
                "--optimizer",
                "sgd",
                "--learning-rate",
                "1e9",
                "--epochs",
                "3",
                "--hidden",
                "8",
                "--grid",
                "5",
                "--out",
                "d",
            ]
        )
        == 1
    )
    assert not (tmp_path / "d" / "result.json").exists()


BAD = [
    ("iris --optimizers sgd,adamm", "unknown optimizer 'adamm' (did you mean 'adam'?)"),
    ("iris --optimizers sgd,sgd", "different names, got sgd,sgd"),
    ("iris --optimizers sgd --learning-rates adam=1", "gives one for 'adam', which --optimizers does not name"),
    ("iris --optimizers sgd --learning-rates sgd=-1", "the learning rate of sgd must be a number > 0, got -1.0"),
    ("iris --optimizers sgd --optimizer-options nesterov=true", "--optimizer-options goes with --optimizer"),
    ("iris --grid 4", "grid must be a whole number from 5 to 201 points on a side, got 4"),
    ("iris --grid 1000", "grid must be a whole number from 5 to 201"),
    ("iris --plane pcaa", "unknown plane 'pcaa' (did you mean 'pca'?)"),
    ("iris --hessian-rows -1", "hessian_rows must be"),
    ("irsi", "did you mean 'iris'"),
    ("--run nowhere", "nowhere is no run: it holds no config.toml"),
    ("iris --run nowhere", "takes its configuration from the folder"),
    ("iris --out full", "already holds files"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_bad_input_is_one_line_and_exit_2(line, message, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    assert cli.main(["landscape", *line.split()]) == 2
    err = [text for text in capsys.readouterr().err.splitlines() if not text.startswith("networks trained")]
    assert len(err) == 1
    assert message in err[0]


def test_a_folder_whose_model_does_not_fit_its_configuration_is_refused(tmp_path, capsys):
    assert cli.main(["train", "iris", "--epochs", "3", "--hidden", "8", "--validation", "0", "--out", "r"]) == 0
    text = (tmp_path / "r" / "config.toml").read_text().replace("8,", "9,")
    assert "9," in text
    (tmp_path / "r" / "config.toml").write_text(text)
    assert cli.main(["landscape", "--run", "r"]) == 2
    assert "does not fit its configuration of sizes (4, 9, 3)" in capsys.readouterr().err


def test_every_optimizer_has_a_learning_rate():
    assert set(landscape.RATES) == set(mo.OPTIMIZERS)


def test_the_gallery_names_its_pictures_once():
    assert len({entry.name for entry in gallery.GALLERY}) == len(gallery.GALLERY) == 5
    for entry in gallery.GALLERY:
        assert entry.caption.count(". ") == 0
        assert entry.notes
