"""The gallery: pictures hold the numbers that they are given, files open, the page needs nothing but itself."""

import io
import json
import re
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mlp_opt import cli
from mlp_opt.diagnose import noise as noise_numbers
from mlp_opt.diagnose.approximation import Fits
from mlp_opt.diagnose.boundary import Frame
from mlp_opt.diagnose.escapes import Waits
from mlp_opt.figures import approximation, boundary, depth, descent, escapes, gallery, graph, noise
from mlp_opt.figures.animation import gif
from mlp_opt.optimizers import OPTIMIZERS

QUICK = ("layer", "backprop", "activations", "unbiased")


def marks(axes, gid):
    return [line.get_ydata() for line in axes.lines if line.get_gid() == gid]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the command leaves for the pictures that are quick to make."""
    folder = tmp_path_factory.mktemp("gallery") / "pictures"
    assert cli.main(["figures", "--only", ",".join(QUICK), "--out", str(folder)]) == 0
    return folder


def test_the_command_writes_files_that_open(made):
    assert sorted(p.name for p in made.iterdir()) == sorted([f"{n}.{s}" for n in QUICK for s in ("png", "svg")] + ["index.html"])
    for name in QUICK:
        with Image.open(made / f"{name}.png") as image:
            image.verify()
        with Image.open(made / f"{name}.png") as image:
            assert min(image.size) > 500
            assert np.asarray(image.convert("L")).std() > 5, "not blank"
        assert ET.parse(made / f"{name}.svg").getroot().tag.endswith("svg")


def test_the_page_needs_nothing_but_itself(made):
    page = (made / "index.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == len(QUICK)
    text = page.replace("&#x27;", "'").replace("&quot;", '"')
    for name in QUICK:
        entry = gallery.GALLERY[name]
        assert f'<figure id="{name}">' in page
        assert f"<figcaption>{entry.caption}" in text
        assert f"<blockquote>{entry.notes}</blockquote>" in text


def test_animations_are_inside_the_page_as_gifs():
    frames = gif([np.full((8, 12, 3), shade, np.uint8) for shade in (0, 128, 255)])
    page = gallery.index({"decision_boundary": gallery.contents(frames)})
    assert "data:image/gif;base64," in page
    assert 'width="12"' in page


def test_the_same_figure_is_the_same_bytes():
    first, second = (gallery.contents(gallery.GALLERY["layer"].make()) for _ in range(2))
    assert first == second
    assert b"<dc:date>" not in first["svg"]


def test_listing_makes_no_picture(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["figures", "--list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(gallery.GALLERY)
    assert cli.main(["figures", "--list"]) == 0
    assert all(name in capsys.readouterr().out for name in ["descent_paths"])
    assert not list(tmp_path.iterdir())


def test_an_unknown_picture_and_a_full_folder_are_refused(capsys, tmp_path):
    assert cli.main(["figures", "--only", "layer,nope", "--out", str(tmp_path / "new")]) == 2
    said = capsys.readouterr().err
    assert "unknown picture 'nope'" in said
    assert "noise_ball" in said
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine.txt").write_text("kept")
    assert cli.main(["figures", "--only", "layer", "--out", str(tmp_path)]) == 2
    assert "already holds files" in capsys.readouterr().err


def test_every_entry_says_what_it_shows():
    assert len(gallery.GALLERY) == sum(len(file.GALLERY) for file in gallery.FILES), "names are unique"
    for name, entry in gallery.GALLERY.items():
        assert re.fullmatch(r"[a-z_]+", name)
        assert entry.caption.endswith(".")
        assert len(entry.notes) > 40


def texts(figure):
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_the_graph_shows_every_number():
    model, params, x, y = graph.example()
    found = graph.flow(model, params, x, y)
    said = texts(graph.backprop(found, 1.0, model.activations, "BCE loss"))
    numbers = {text.split(" = ")[1] for text in said if re.fullmatch(r"\D+[₀-₉]+ = \S+", text)}
    for arrays in (found.z, found.a, found.W, found.b, found.delta, found.dW, found.db, found.dz[1:]):
        assert {graph.number(float(v)) for array in arrays for v in array.ravel()} <= numbers


def test_noise_pictures_mark_what_was_measured():
    rates, radius = np.asarray([0.1, 0.5, 1.0]), np.asarray([[0.3, 0.6, 1.0], [0.1, 0.3, 0.5]])
    left, right = noise.ball(rates, (1, 4), radius, 1.0, 1.0, "small").axes
    np.testing.assert_array_equal(marks(left, "measured"), radius)
    worst = np.abs(radius / noise_numbers.ball_radius(rates, np.asarray([[1], [4]]), 1.0, 1.0) - 1).max()
    assert f"{worst:.1%}" in right.get_title("left")
    errors = {0: np.asarray([10.0, 1.0]), 5: np.asarray([90.0, 9.0])}
    figure = noise.scale((0, 5), np.asarray([10.0, 90.0]), np.asarray([2.0, 1.0]), (1, 10), errors, "small")
    np.testing.assert_array_equal(marks(figure.axes[1], "measured"), list(errors.values()))


def test_hops_count_the_runs_that_changed_sides():
    ends = np.asarray([[[-1.0, -1.0, -1.0, -1.0], [-1.0, 1.0, 1.1, 0.9]], [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0]]])
    left, right = escapes.hops(np.asarray([0.0, 12.0]), ends, 1, "small").axes
    np.testing.assert_allclose(marks(left, "still"), np.zeros((1, 4)), atol=1e-6)
    np.testing.assert_array_equal(marks(right, "start 0"), [[0, 0.75]])
    np.testing.assert_array_equal(marks(right, "start 1"), [[0, 0.25]])


def test_every_optimizer_has_its_line_in_the_waits():
    rates = np.asarray([0.01, 0.1])
    found = {name: Waits(np.asarray([[90, 9], [70, 7]]), np.asarray([[True, False], [True, True]])) for name in OPTIMIZERS}
    figure = escapes.waits(rates, found, 100)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(OPTIMIZERS)


def test_other_pictures_draw_what_they_are_given():
    norms = {(r, a): np.full((2, 3, 4), 0.5) for r in (False, True) for a in ("tanh", "relu")}
    assert len(depth.norms(norms, ("glorot_normal", "he_uniform"), "small").axes) == 4
    x = np.linspace(-1, 1, 9)
    fits = Fits(x, x**2, np.zeros((2, 3, 9)), np.asarray([[0.3, 0.2, 0.4], [0.03, 0.02, 0.04]]), ())
    right = approximation.fits((1, 8), fits, (1, 8), "small").axes[1]
    np.testing.assert_array_equal(right.lines[1].get_ydata(), [0.2, 0.02])
    path = np.asarray([[0.0, 0.0], [1.0, 1.0]])
    land = descent.Landscape((np.linspace(0, 2, 5), np.linspace(0, 2, 5)), np.arange(1.0, 26.0).reshape(5, 5), (0.1, 0.1, 0.9))
    figure = descent.paths(land, dict.fromkeys(descent.RULES, path), dict.fromkeys(descent.RULES, 1), "title")
    np.testing.assert_array_equal([axes.lines[0].get_xydata() for axes in figure.axes], [path] * 3)
    curves = dict.fromkeys(descent.RULES, (np.asarray([1, 10]), np.asarray([[1.0, 0.1]])))
    assert isinstance(descent.cost(curves, "title", "small"), Figure)


def test_boundary_frames_show_the_side_of_one_half():
    n, X, y = 6, np.zeros((1, 2, 2)), np.asarray([[0, 1]])
    left_half = np.tile(np.linspace(0, 1, n), (n, 1)).reshape(1, 1, n * n)
    frames = [Frame(epoch, left_half, np.asarray([[0.5]]), []) for epoch in (0, 1)]
    drawn = list(boundary.boundaries(frames, X, y, ["adam"], ["moons"], "title", n))
    assert len(drawn) == 2
    assert drawn[0].shape == drawn[1].shape
    bluer = drawn[0][..., 2].astype(int) - drawn[0][..., 0]
    middle = bluer.shape[1] // 2
    assert bluer[:, :middle].mean() > 2, "label 0 is purple"
    assert bluer[:, middle:].mean() < -2, "label 1 is orange"
    Image.open(io.BytesIO(gif(drawn))).verify()


def test_activation_curves_are_the_functions():
    from mlp_opt.activations import ACTIVATIONS

    figure = gallery.GALLERY["activations"].make()
    for axes, (name, activation) in zip(figure.axes, ACTIVATIONS.items(), strict=False):
        assert axes.get_title("left") == name
        a = jnp.asarray(axes.lines[2].get_xdata(), jnp.float32)
        np.testing.assert_allclose(axes.lines[2].get_ydata(), activation.sigma(a))
        np.testing.assert_allclose(axes.lines[3].get_ydata(), activation.derivative(a))
