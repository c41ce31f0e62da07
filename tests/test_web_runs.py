"""The page's run folders: what is told of them is what the library finds, and nothing outside the folder is read."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pytest

import mlp_opt as mo
from mlp_opt import cli
from mlp_opt.config import TrainConfig
from mlp_opt.diagnose import landscape as computed
from mlp_opt.figures import forest, sweep_numbers
from mlp_opt.figures.loss_scale import scale_of
from mlp_opt.store import run_folder
from mlp_opt.sweeps import table as tables
from mlp_opt.web import app, folders, limits, messages

pytestmark = pytest.mark.implicit_promotion


def ask(kind, **body):
    """What a page hears: (header, arrays)."""
    return messages.unpack(app.answer(messages.Request(1, kind, body)))


def refused(kind, **body):
    """The one line of an answer that says what was wrong."""
    header, _ = ask(kind, **body)
    assert "error" in header, header
    assert "the server failed" not in header["error"], header
    assert "\n" not in header["error"]
    return header["error"]


@pytest.fixture
def root(made_runs):
    folders.use(made_runs[0])
    yield made_runs[0]
    folders.use(folders.Path("runs"))


@pytest.fixture
def copied(made_runs, tmp_path):
    """The runs once more, to be spoilt."""
    root = tmp_path / "runs"
    shutil.copytree(made_runs[0], root)
    folders.use(root)
    yield root
    folders.use(folders.Path("runs"))


def test_the_list_names_every_run_and_nothing_else(copied):
    (copied / "notes.txt").write_text("none")
    (copied / "empty").mkdir()
    (copied / ".hidden").mkdir()
    shutil.copytree(copied / "net", copied / "deeper" / "net")
    os.utime(copied / "plane" / "landscape.npz", (2e9, 2e9))
    header, _ = ask("runs/list")
    assert {f["name"]: f["kind"] for f in header["folders"]} == {"plane": "landscape", "sweep": "sweep", "net": "train"}
    assert header["folders"][0]["name"] == "plane"  # the last changed first
    assert all(f["finished"] for f in header["folders"])
    assert header["where"] == str(copied)


def test_no_folder_of_runs_is_an_empty_list(tmp_path):
    folders.use(tmp_path / "none")
    header, _ = ask("runs/list")
    assert header["folders"] == []
    assert header["commands"]["sweep"].startswith("mlp-opt sweep")


def column(header, arrays, name):
    return arrays["lanes"][:, header["columns"].index(name)]


def test_a_sweep_is_its_table(root):
    header, arrays = ask("sweep/open", name="sweep")
    table = mo.load_sweep(root / "sweep")
    lost = (table["status"] == "diverged").to_numpy()
    assert 1 <= lost.sum() <= 3
    assert header["networks"] == len(table) == 14
    assert header["counts"]["diverged"] == lost.sum()
    for name in ("trial", "epochs", "learning_rate"):
        np.testing.assert_allclose(column(header, arrays, name), table[name].to_numpy(), rtol=1e-7)
    np.testing.assert_allclose(column(header, arrays, "score"), np.where(lost, np.nan, table["val_accuracy"].to_numpy()), rtol=1e-7)
    optimizer = next(field for field in header["fields"] if field["name"] == "optimizer")
    assert [optimizer["values"][int(k)] for k in column(header, arrays, "optimizer")] == table["optimizer"].to_list()
    assert [header["groups"][int(k)]["name"] for k in column(header, arrays, "group")] == table["optimizer"].to_list()
    board = tables.leaderboard_of(root / "sweep", 100)
    assert [c["name"] for c in header["board"]["columns"]] == board.columns
    assert [tuple(row) for row in header["board"]["rows"]] == board.rows()
    assert header["x"] == "learning_rate"


def test_trends_and_cells_are_medians_of_the_table(root):
    table = mo.load_sweep(root / "sweep")
    header, _ = ask("sweep/open", name="sweep")
    _, trends = ask("sweep/trends", name="sweep", x="learning_rate")
    told, cells = ask("sweep/cells", name="sweep", x="learning_rate", y="optimizer")
    for k, group in enumerate(header["groups"]):
        mine = table.filter(pl.col("optimizer") == group["name"]).sort("learning_rate")
        bad = (mine["status"] == "diverged").to_numpy()
        expected = np.where(bad, -np.inf, mine["val_accuracy"].to_numpy())  # one network a rate: its score is the median
        np.testing.assert_allclose(trends[f"at{k}"], mine["learning_rate"].to_numpy(), rtol=1e-6)
        np.testing.assert_allclose(trends[f"middle{k}"][:, 1], expected, rtol=1e-6)
        np.testing.assert_array_equal(trends[f"lost{k}"], bad)
        row = told["y"]["labels"].index(group["name"])
        np.testing.assert_allclose(cells["middle"][row], np.where(bad, np.nan, expected), rtol=1e-6)
        np.testing.assert_array_equal(cells["lost"][row], bad)
    assert told["x"]["labels"][-1] == "1e+30"
    assert (cells["lanes"] == 1).all()


def test_a_median_counts_a_diverged_network_as_worst():
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, None]
    status = ["finished"] * 9 + ["diverged"]
    table = pl.DataFrame({"rate": [1.0] * 10, "val_accuracy": scores, "train_accuracy": scores, "status": status})
    (trend,) = sweep_numbers.trends(table, "rate", "log", "accuracy", "")
    assert trend.middle.tolist() == [[-np.inf, 0.4, 0.8]]  # the first, fifth and ninth of the ten
    assert trend.lost.tolist() == [0.1]


def test_importance_is_the_reports(root):
    header, _ = ask("sweep/importance", name="sweep")
    found = tables.opened(root / "sweep")
    shares, fit = forest.explained(found.table, found.varied, found.scales)
    assert dict(header["shares"]) == pytest.approx(shares)
    assert header["fit"] == pytest.approx(fit)
    assert header["shares"][0][1] >= header["shares"][1][1]


def test_a_trials_curves_are_those_that_the_sweep_kept(made_runs, root):
    for trial, history in made_runs[1].histories.items():
        header, arrays = ask("sweep/trial", name="sweep", lane=[trial, 0, 0])
        assert header["kept"] is True
        assert set(arrays) == set(history)
        for name, values in history.items():
            np.testing.assert_array_equal(arrays[name], values.astype(np.float32))


def test_curves_that_are_not_kept_are_computed_again_to_the_same_bits(made_runs, copied):
    shutil.rmtree(copied / "sweep" / "models")
    trial, history = next(iter(made_runs[1].histories.items()))
    header, arrays = ask("sweep/trial", name="sweep", lane=[trial, 0, 0])
    assert (header["kept"], header["too_long"], arrays) == (False, False, {})
    assert header["again"].endswith(f"sweep --trial {trial}")
    header, arrays = ask("sweep/replay", name="sweep", lane=[trial, 0, 0])
    assert header["lane"] == [trial, 0, 0]
    for name, values in history.items():
        np.testing.assert_array_equal(arrays[name], values.astype(np.float32))


def test_a_diverged_trial_is_told_as_such(root):
    row = mo.load_sweep(root / "sweep").filter(pl.col("status") == "diverged").row(0, named=True)
    header, _ = ask("sweep/trial", name="sweep", lane=[row["trial"], 0, 0])
    assert header["status"] == "diverged"
    assert header["diverged_at"] == row["diverged_at"]


def test_a_landscape_is_what_jax_finds(root):
    header, arrays = ask("landscape/open", name="plane")
    runs = computed.recorded(computed.prepared(TrainConfig("iris", hidden=(8,), epochs=3), {"sgd": 0.3, "adam": 2e-3}))
    view = computed.views(runs, "pca", 7)[0]
    scale = scale_of([view.surface.loss])
    np.testing.assert_allclose(arrays["heights0"], np.log10(scale.clipped(view.surface.loss)), rtol=1e-4, atol=1e-5)
    assert header["methods"] == ["sgd", "adam"]
    assert header["explained"] == pytest.approx(view.shares.tolist(), rel=1e-4)
    grown, between = computed.lines(runs)
    for k, (name, (_, shadow)) in enumerate(view.shadows.items()):
        row = dict(zip(header["columns"], arrays["paths"][k].T, strict=True))
        np.testing.assert_allclose(np.stack([row["x"], row["y"]], 1), shadow.at, atol=1e-4)
        np.testing.assert_allclose(row["loss"], shadow.loss, rtol=1e-4)
        np.testing.assert_allclose(row["gap"], shadow.loss - shadow.on_plane, atol=1e-4)
        np.testing.assert_allclose(arrays["line_loss"][k], grown[name].loss, rtol=1e-4)
    assert header["lines"][2]["from"] == "sgd"
    assert header["lines"][2]["barrier"] == pytest.approx(between["sgd", "adam"].barrier, abs=1e-5)
    top = computed.sharpness(runs, 50)["sgd"][1].top[:, 0]
    np.testing.assert_allclose(arrays["sharp0"], [[0, 1, 2, 3], top], rtol=1e-2)
    assert [s["limit"] for s in header["sharpness"]] == [pytest.approx(2 / 0.3), None]


def test_a_trained_network_is_its_history(root):
    header, arrays = ask("runs/train", name="net")
    history = run_folder.load_history(root / "net")
    assert {name: values.tolist() for name, values in arrays.items()} == {n: v.astype(np.float32).tolist() for n, v in history.items()}
    result = json.loads((root / "net" / "result.json").read_text())
    assert header["scores"]["test_accuracy"] == result["test_accuracy"]
    assert header["best_epoch"] == result["best_epoch"]


NAMES = [
    "..",
    ".",
    "../runs/net",
    "a/b",
    "/etc",
    "",
    "x" * 300,
    ".hidden",
    "nul\0",
    "a\\b",
    "none",
    None,
    5,
    [],
    {"a": 1},
    True,
    "~",
    "net\n",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_that_are_none_are_refused(root, name):
    for kind in ("sweep/open", "landscape/open", "runs/train", "sweep/replay", "sweep/importance"):
        refused(kind, name=name)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("sweep/open", {"name": "net"}, "holds no sweep, but a train"),
        ("landscape/open", {"name": "sweep"}, "holds no landscape, but a sweep"),
        ("sweep/open", {"name": "sweep", "more": 1}, "unknown key 'more'"),
        ("sweep/trends", {"name": "sweep", "x": "optimizer"}, "no number that varies"),
        ("sweep/trends", {"name": "sweep", "x": "optimiser"}, "did you mean 'optimizer'"),
        ("sweep/trends", {"name": "sweep", "x": ["learning_rate"]}, "unknown hyperparameter"),
        ("sweep/cells", {"name": "sweep", "x": "learning_rate"}, "unknown hyperparameter None"),
        ("sweep/trial", {"name": "sweep"}, "lane must be three whole numbers"),
        ("sweep/trial", {"name": "sweep", "lane": [0, 0]}, "lane must be three whole numbers"),
        ("sweep/trial", {"name": "sweep", "lane": [0.5, 0, 0]}, "trial must be a whole number"),
        ("sweep/trial", {"name": "sweep", "lane": [-1, 0, 0]}, "trial must be a whole number"),
        ("sweep/trial", {"name": "sweep", "lane": [10**30, 0, 0]}, "trial must be a whole number"),
        ("sweep/replay", {"name": "sweep", "lane": [14, 0, 0]}, "has no trial 14"),
        ("sweep/replay", {"name": "sweep", "lane": [0, 1, 0]}, "has no trial 0 with fold 1"),
        ("runs/list", {"name": "sweep"}, "unknown key"),
    ],
)
def test_bad_requests_are_explained(root, kind, body, said):
    assert said in refused(kind, **body)


def test_nothing_outside_the_folder_is_read(copied, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(copied / "net", outside)
    (copied / "linked").symlink_to(outside)
    assert "leads out of" in refused("runs/train", name="linked")
    (copied / "net" / "history.csv").unlink()
    (copied / "net" / "history.csv").symlink_to(outside / "history.csv")
    assert "leads out of" in refused("runs/train", name="net")
    (copied / "plane" / "config.toml").unlink()
    (copied / "plane" / "config.toml").symlink_to("/etc/hostname")
    assert "leads out of" in refused("landscape/open", name="plane")
    shutil.move(copied / "sweep" / "models", tmp_path / "models")
    (copied / "sweep" / "models").symlink_to(tmp_path / "models")
    best = tables.leaderboard_of(copied / "sweep", 1)["trial"][0]
    assert "leads out of" in refused("sweep/trial", name="sweep", lane=[best, 0, 0])
    assert [f["name"] for f in ask("runs/list")[0]["folders"]] == ["sweep"]


def test_what_is_no_plain_file_or_too_large_is_not_read(copied, monkeypatch):
    (copied / "net" / "history.csv").unlink()
    os.mkfifo(copied / "net" / "history.csv")  # reading it would wait for ever
    assert "no plain file" in refused("runs/train", name="net")
    monkeypatch.setitem(folders.FILES, "landscape.npz", 1000)
    assert "larger than 1,000 bytes" in refused("landscape/open", name="plane")


def _npz(path, **arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-2000]),
        lambda path: path.write_bytes(b"PK\3\4 none"),
        lambda path: path.write_bytes(b""),
        lambda path: _npz(path, **{"plane/loss": np.array([{"an": "object"}], dtype=object)}),  # would have to be unpickled
        lambda path: _npz(path, **{"plane/loss": np.zeros((3, 4)), "plane/xs": np.zeros(3), "plane/ys": np.zeros(4)}),
        lambda path: _npz(path, **{"plane/loss": np.zeros((500, 500)), "plane/xs": np.zeros(500), "plane/ys": np.zeros(500)}),
        lambda path: _npz(path, **{"plane/loss": np.ones((3, 3))}),
        lambda path: _npz(path, **{"path/sgd/at": np.ones((3, 2))}),
        lambda path: _npz(path, **{"hessian/sgd/epochs": np.ones(3)}),
    ],
)
def test_a_damaged_landscape_gets_one_line(copied, spoil):
    spoil(copied / "plane" / "landscape.npz")
    refused("landscape/open", name="plane")


def test_a_landscape_that_unpacks_to_very_much_is_not_unpacked(copied):
    with zipfile.ZipFile(copied / "plane" / "landscape.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("plane/loss.npy", b"\0" * (2**26 + 1))
    assert "holds more numbers than the page shows" in refused("landscape/open", name="plane")


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_is_unpickled(copied, tmp_path):
    _npz(copied / "plane" / "landscape.npz", **{"plane/loss": np.array([Trap(str(tmp_path / "sprung"))], dtype=object)})
    refused("landscape/open", name="plane")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("folder", "file", "content"),
    [
        ("sweep", "trials.parquet", b"junk"),
        ("sweep", "config.toml", b"epochs = 'many'"),
        ("sweep", "config.toml", b"\xff\xfe"),
        ("sweep", "result.json", b"[1, 2]"),
        ("sweep", "result.json", b"{"),
        ("net", "history.csv", b"epoch,train_loss\n1,x"),
        ("net", "history.csv", b"epoch\n1"),
        ("net", "history.csv", b""),
        ("net", "config.toml", b"none = 1"),
        ("plane", "result.json", b'{"runs": 5}'),
        ("plane", "result.json", b'{"runs": [{}]}'),
    ],
)
def test_damaged_files_get_one_line(copied, folder, file, content):
    (copied / folder / file).write_bytes(content)
    refused({"sweep": "sweep/open", "net": "runs/train", "plane": "landscape/open"}[folder], name=folder)


@pytest.mark.parametrize(
    "line", [b'{"task": "x", "lane": 0, "rung": 0}\n', b"{}\n", b"\0\0", b'{"task": 1, "lane": "a", "rung": [], "train_r2": 1}\n']
)
def test_a_log_of_anything_gets_one_line(copied, line):
    (copied / "sweep" / "trials.parquet").unlink()
    (copied / "sweep" / "trials.jsonl").write_bytes(line)
    refused("sweep/open", name="sweep")


def test_a_sweep_under_way_is_shown_and_followed(copied):
    sweep = copied / "sweep"
    for name in ("trials.parquet", "result.json"):
        (sweep / name).unlink()
    lines = (sweep / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (sweep / "trials.jsonl").write_bytes(b"".join(lines[:6]) + lines[6][:20])  # one is just being written
    header, arrays = ask("sweep/open", name="sweep")
    assert header["finished"] is False
    assert header["networks"] == len(arrays["lanes"]) == 6
    assert header["age"] < 60
    same, nothing = ask("sweep/open", name="sweep", seen=header["stamp"])
    assert same["same"] is True
    assert nothing == {}
    (sweep / "trials.jsonl").write_bytes(b"".join(lines))
    header, _ = ask("sweep/open", name="sweep", seen=header["stamp"])
    assert header["networks"] == 14
    assert (sweep / "trials.jsonl").read_bytes() == b"".join(lines)  # a reader changes nothing
    shutil.rmtree(sweep)
    assert "was it moved or deleted?" in refused("sweep/open", name="sweep", seen=header["stamp"])


def test_a_sweep_that_has_only_begun_says_so(copied):
    for path in (copied / "sweep").iterdir():
        if path.is_file() and path.name != "config.toml":
            path.unlink()
    assert [f["name"] for f in ask("runs/list")[0]["folders"] if f["kind"] == "sweep"] == ["sweep"]
    header, arrays = ask("sweep/open", name="sweep")
    assert (header["begun"], header["finished"], arrays) == (True, False, {})
    assert "has finished no network yet" in refused("sweep/trends", name="sweep", x="learning_rate")


def test_what_is_sent_is_bounded(root, monkeypatch):
    monkeypatch.setattr(limits, "NETWORKS", 5)
    monkeypatch.setattr(limits, "BOARD", 3)
    monkeypatch.setattr(limits, "CURVE", 2)
    monkeypatch.setattr(limits, "REPLAY", 0.0)
    header, arrays = ask("sweep/open", name="sweep")
    assert (header["networks"], header["drawn"], len(arrays["lanes"]), len(header["board"]["rows"])) == (14, 5, 5, 3)
    assert column(header, arrays, "trial")[[0, -1]].tolist() == [0, 13]
    assert (
        sum(len(values) for name, values in ask("sweep/trends", name="sweep", x="learning_rate")[1].items() if name.startswith("at")) == 14
    )
    cells = ask("sweep/cells", name="sweep", x="learning_rate", y="optimizer")[1]
    assert len(cells["row"]) == 5
    assert cells["lanes"].sum() == 14
    assert ask("runs/train", name="net")[1]["epoch"].tolist() == [1, 3]
    assert ask("sweep/trial", name="sweep", lane=[0, 0, 0])[0]["too_long"] is True
    assert "do it with: mlp-opt train --from" in refused("sweep/replay", name="sweep", lane=[0, 0, 0])
    assert "at most 2 are shown" in refused("landscape/open", name="plane")


def test_the_page_opens_without_matplotlib(root):
    code = f"""
import sys
from pathlib import Path
from mlp_opt.web import app, folders, messages, serve
assert not {{"jax", "polars", "matplotlib"}} & set(sys.modules), "before the first request"
folders.use(Path({str(root)!r}))
for kind, name in (("runs/list", None), ("sweep/open", "sweep"), ("landscape/open", "plane"), ("runs/train", "net")):
    header, _ = messages.unpack(app.answer(messages.Request(1, kind, {{"name": name}} if name else {{}})))
    assert "error" not in header, header
assert not {{"matplotlib", "sklearn"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_takes_the_folder(monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr("mlp_opt.web.serve.main", lambda *args: told.append(args) or 0)
    assert cli.main(["serve", "--runs", str(tmp_path)]) == 0
    assert cli.main(["serve"]) == 0
    assert [args[-1] for args in told] == [tmp_path, folders.Path("runs")]
