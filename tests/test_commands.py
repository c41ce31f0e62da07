import contextlib
import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

import mlp_opt as mo
from mlp_opt import cli
from mlp_opt.activations import ACTIVATIONS
from mlp_opt.config import TrainConfig, load_toml
from mlp_opt.diagnose import parity

pytestmark = pytest.mark.implicit_promotion

QUICK = ["train", "iris", "--epochs", "3", "--hidden", "8,4"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def program(*arguments, **options):
    """The command as a user runs it, in a process of its own."""
    return subprocess.run([sys.executable, "-m", "mlp_opt", *arguments], capture_output=True, text=True, timeout=300, **options)


def test_train_leaves_a_run_folder_that_others_can_read(tmp_path, capsys):
    assert cli.main([*QUICK, "--out", "runs/x"]) == 0
    folder = tmp_path / "runs" / "x"
    out, err = capsys.readouterr()
    assert "test" in out
    assert "accuracy" in out
    assert "epoch 3/3" in err
    assert {p.name for p in folder.iterdir()} == {
        "config.toml", "history.csv", "model.safetensors", "model.json", "curves.png", "result.json",
    }  # fmt: skip
    assert TrainConfig(**load_toml(folder / "config.toml")).hidden == (8, 4)
    with open(folder / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert set(rows[0]) == {"epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"}
    pixels = image.imread(folder / "curves.png")
    assert pixels.shape[0] > 300
    assert pixels[..., :3].std() > 0.05
    model = mo.load(folder)
    assert model.model.sizes == (4, 8, 4, 3)
    assert model.classes == ("setosa", "versicolor", "virginica")
    assert model.predict(np.ones((2, 4))).shape == (2, 3)


def test_json_is_one_object_and_the_result_of_the_saved_model(capsys):
    from mlp_opt.data import sources, split

    assert cli.main(["train", "wine", "--epochs", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["out"] == "runs/wine-1"
    test = split.split(sources.load("wine"), 0.2, 0.1, 0)[2]
    predicted = mo.load("runs/wine-1").predict(test.X).argmax(1)
    assert result["test_accuracy"] == pytest.approx((predicted == test.y).mean(), abs=1e-6)
    assert cli.main(["train", "wine", "--epochs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == "runs/wine-2"


def test_regression_predicts_in_the_units_of_the_data(capsys):
    from sklearn.metrics import r2_score

    from mlp_opt.data import sources, split

    arguments = ["--epochs", "60", "--learning-rate", "1e-2", "--json", "--validation", "0"]
    assert cli.main(["train", "plane", *arguments]) == 0
    result = json.loads(capsys.readouterr().out)
    test = split.split(sources.load("plane"), 0.2, 0.0, 0)[2]
    assert result["test_r2"] > 0.95
    assert result["test_r2"] == pytest.approx(r2_score(test.y, mo.load(result["out"]).predict(test.X)[:, 0]), abs=1e-4)


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path, capsys):
    (tmp_path / "c.toml").write_text('dataset = "iris"\nepochs = 2\nhidden = [5]\n')
    assert cli.main(["train", "--config", "c.toml", "--hidden", "6", "--optimizer-options", "b1=0.8,nesterov=true", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)["out"]
    config = TrainConfig(**load_toml(f"{out}/config.toml"))
    assert (config.dataset, config.epochs, config.hidden, config.l2) == ("iris", 2, (6,), 0.0)
    assert config.optimizer_options == {"b1": 0.8, "nesterov": True}


def test_no_hidden_layer_and_gradient_descent(capsys):
    assert cli.main(["train", "iris", "--hidden", "none", "--batch-size", "0", "--optimizer", "sgd", "--epochs", "2", "--json"]) == 0
    assert mo.load(json.loads(capsys.readouterr().out)["out"]).model.sizes == (4, 3)


def test_a_diverged_run_says_so_and_exits_1(capsys):
    assert cli.main(["train", "diabetes", "--optimizer", "sgd", "--learning-rate", "1e9", "--json"]) == 1
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["stopped"] == "diverged"
    assert f"diverged at step {result['diverged_at']}" in err
    assert "try --learning-rate 1e+08" in err


def test_a_run_that_ends_in_infinite_weights_has_diverged_too(capsys):
    line = "train diabetes --validation 0 --batch-size 0 --epochs 1 --optimizer sgd --learning-rate 1e38 --json"
    assert cli.main(line.split()) == 1
    result = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert result["stopped"] == "diverged"
    assert np.isfinite(mo.load(result["out"]).predict(np.zeros((1, 10)))).all()


BAD = [
    ("", "usage"),
    ("trian", "did you mean 'train'"),
    ("train", "name a dataset"),
    ("train digitz", "did you mean 'digits'"),
    ("train iris extra", "Unrecognized options: extra"),
    ("train iris --epchs 3", "did you mean --epochs?"),
    ("train iris --epochs three", "--epochs: 'three' is not a whole number"),
    ("train iris --epochs -1", "epochs must be a whole number >= 1, got -1"),
    ("train iris --learning-rate fast", "--learning-rate: 'fast' is not a number"),
    ("train iris --learning-rate -1", "learning_rate must be a number > 0, got -1.0"),
    ("train iris --learning-rate nan", "learning_rate must be a number > 0, got nan"),
    ("train iris --hidden 8,x", "--hidden: 'x' is not a whole number"),
    ("train iris --hidden -8", "hidden must be"),
    ("train iris --hidden 1000000000000", "weights; a layer may have"),
    ("train iris --activation rlu", "did you mean 'relu'"),
    ("train iris --activation step", "its gradient is 0 everywhere"),
    ("train iris --optimizer addam", "did you mean 'adam'"),
    ("train iris --optimizer-options b9=1", "unknown option of optimizer adam 'b9'"),
    ("train iris --optimizer-options b1", "is not NAME=NUMBER"),
    ("train iris --batch-size 500", "batch_size 500 is larger than the 108 training rows"),
    ("train iris --test-size 2", "test_size must be"),
    ("train iris --test-size 0.001", "cannot set aside 0.001 of 150 rows of iris for the test: both parts need a row"),
    ("train iris --validation 0.001", "for validation: both parts need a row, and of each class one; try another validation"),
    ("sweep iris --space #", "--space is empty: nothing varies"),
    ("sweep iris --space l2=[0.1] --space l2=[0.2]", "l2 has its values in another --space already"),
    ("sweep iris --method grid --space seed={integer=[0,3000000000]}", "more than the 10,000,000 trials"),
    ("train iris --dtype float12", "unknown dtype"),
    ("train iris --config nowhere.toml", "cannot read the configuration nowhere.toml"),
    ("train iris --config wrong.toml", "did you mean 'epochs'"),
    ("train iris --out file/x", "cannot write to the output folder file/x: Not a directory"),
    ("train iris --out full", "full already holds files"),
    ("train iris --out", "--out"),
    ("train --resume full", "cannot read the configuration full/config.toml"),
    ("train --resume full --epochs 3", "give no other options"),
    ("train iris --patience 3000000000", "patience must be"),
    ("train iris --optimizer-options eps=-1", "option eps of optimizer adam must be >= 0, got -1"),
    ("train iris --seed 1.5", "'1.5' is not a whole number"),
    ("check --fast", "--fast"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[b[0] or "nothing" for b in BAD])
def test_bad_input_is_one_line_and_status_2(line, message, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("keep me")
    (tmp_path / "wrong.toml").write_text("epoch = 3")
    assert cli.main(line.split()) == 2
    out, err = capsys.readouterr()
    if line:
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("mlp-opt: ")
    assert message in (err or out)
    assert (tmp_path / "full" / "precious").read_text() == "keep me"
    assert not (tmp_path / "runs").exists()


def test_bad_input_has_no_traceback_in_a_process_of_its_own():
    run = program("train", "digitz")
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr


LONG = ["train", "digits", "--hidden", "16", "--epochs", "3000", "--dropout", "0.1", "--schedule", "cosine"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a long run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("long")
    assert program(*LONG, "--out", "whole", cwd=folder).returncode == 0
    return folder / "whole"


def cut(number):
    """Send the signal to a long run, in the folder cut."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlp_opt", *LONG, "--out", "cut"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    first = process.stderr.readline()
    assert first.startswith("epoch ")
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "continue with: mlp-opt train --resume cut" in err
    assert Path("cut", "checkpoint.safetensors").exists()


def test_a_run_asked_to_end_leaves_what_is_needed_to_go_on(tmp_path):
    cut(signal.SIGTERM)


def test_an_interrupted_run_can_be_continued_to_the_same_bits(tmp_path, whole, capsys):
    cut(signal.SIGINT)
    assert program("train", "--resume", "cut").returncode == 0
    assert not (tmp_path / "cut" / "checkpoint.safetensors").exists()
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (whole / name).read_bytes()
    assert cli.main(["train", "--resume", "cut"]) == 2
    assert "no unfinished run" in capsys.readouterr().err


def test_a_run_goes_on_only_with_its_data(tmp_path, monkeypatch, capsys):
    @contextlib.contextmanager
    def asked_at_once(stop):
        stop()
        yield

    table = "x,y\n" + "".join(f"{x},{x * x % 7}.5\n" for x in range(60))
    (tmp_path / "t.csv").write_text(table)
    monkeypatch.setattr("mlp_opt.commands.train.asked_to_stop", asked_at_once)
    assert cli.main(["train", "t.csv", "--target", "y", "--hidden", "4", "--epochs", "1000000", "--out", "cut"]) == 130
    (tmp_path / "t.csv").write_text(table.replace("3,2.5", "3,2.25"))
    before = (tmp_path / "cut" / "checkpoint.safetensors").read_bytes()
    capsys.readouterr()
    assert cli.main(["train", "--resume", "cut"]) == 2
    assert "the data are not those that the run in cut began with" in capsys.readouterr().err
    assert (tmp_path / "cut" / "checkpoint.safetensors").read_bytes() == before


def test_datasets_lists_every_set(capsys):
    from mlp_opt.data.sources import SOURCES

    assert cli.main(["datasets"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in SOURCES)
    assert cli.main(["datasets", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in listed] == list(SOURCES)
    assert listed[0]["rows"] == 1797


def test_check_passes_and_prints_the_table_or_json(capfd):
    run = program("check", "--quick", "--json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["passed"] is True
    assert {row["activation"] for row in report["gradients"]} >= set(ACTIVATIONS) - {"step"}
    assert max(row["jax.grad"] for row in report["gradients"]) <= 1e-12
    assert {row["loss"] for row in report["fused"]} == set(mo.LOSSES)
    assert {row["optimizer"] for row in report["optimizers"]} == set(mo.OPTIMIZERS)
    assert report["momentum_schedule_gap"] > 1e-2


def test_check_fails_with_status_1_when_a_rule_is_wrong(monkeypatch, capsys):
    """A wrong learning rate by one part in a million is over the bound."""
    import jax

    from mlp_opt.diagnose import gradcheck

    right = mo.OPTIMIZERS["adam"]
    monkeypatch.setitem(parity.OPTIMIZERS, "adam", lambda rate, **k: right(lambda t: 1.000001 * (rate(t) if callable(rate) else rate), **k))
    monkeypatch.setattr(
        gradcheck, "run", lambda *a: [{"activation": "none", "cases": 0, "jax.grad": 0.0, "finite cases": 0, "finite": 0.0, "passed": True}]
    )
    before = {name: getattr(jax.config, name) for name in ("jax_enable_x64", "jax_default_matmul_precision")}
    try:
        assert cli.main(["check", "--quick"]) == 1
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "over a bound" in out


def test_help_is_quick_and_imports_neither_jax_nor_scikit_learn():
    probe = (
        "import sys; from mlp_opt import cli; cli.main([{}]); print(sorted({{'jax','sklearn','matplotlib','optax'}} & set(sys.modules)))"
    )
    for arguments in ("'--help'", "'datasets', '--json'"):
        run = subprocess.run([sys.executable, "-c", probe.format(arguments)], capture_output=True, text=True)
        assert run.stdout.endswith("[]\n"), run.stderr
    run = program("train", "--help")
    assert run.returncode == 0
    assert "--learning-rate" in run.stdout
    assert program("--version").stdout.startswith("mlp-opt ")


SWEEP = ["sweep", "iris", "--epochs", "3", "--hidden", "8", "--trials", "8", "--space", "learning_rate = {log_uniform = [1e-3, 1.0]}"]


def test_sweep_leaves_a_table_a_report_and_models(tmp_path, capsys):
    assert cli.main([*SWEEP, "--space", 'optimizer = ["momentum", "adam"]', "--out", "runs/s"]) == 0
    folder = tmp_path / "runs" / "s"
    out, _ = capsys.readouterr()
    assert "8 networks in" in out
    assert "mean of the best 8" in out
    assert {"config.toml", "plan.json", "trials.jsonl", "trials.parquet", "best", "ensemble", "figures", "report.html", "result.json"} <= {
        p.name for p in folder.iterdir()
    }
    table = mo.load_sweep(folder)
    assert len(table) == 8
    assert set(table["optimizer"]) == {"momentum", "adam"}
    page = (folder / "report.html").read_text()
    for name in ("headline", "sensitivity", "best_curves"):
        assert image.imread(folder / "figures" / f"{name}.png")[..., :3].std() > 0.02
        assert f'id="{name}"' in page
    assert mo.load(folder / "best").predict(np.ones((2, 4))).shape == (2, 3)
    assert mo.load(folder / "ensemble").predict(np.ones((2, 4))).shape == (2, 3)
    best = json.loads((folder / "result.json").read_text())["best_trial"]

    assert cli.main(["sweep", "show", "runs/s", "--top", "3"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("finished") == 3
    assert cli.main(["sweep", "show", "runs/s", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 8

    assert cli.main(["train", "--from", "runs/s", "--trial", str(best), "--out", "again"]) == 0
    with open("again/history.csv") as file:
        rows = list(csv.DictReader(file))
    row = table.row(best, named=True)
    assert float(rows[row["best_epoch"] - 1]["val_loss"]) == row["val_loss"]
    np.testing.assert_array_equal(mo.load("again").params[0].W, mo.load(folder / "best").params[0].W)
    assert cli.main(["sweep", "--resume", "runs/s"]) == 2
    assert "is finished" in capsys.readouterr().err


SPACE_FILE = """
dataset = "iris"
epochs = 2
hidden = [8]

[sweep]
method = "grid"

[space]
optimizer = ["sgd", "momentum"]
learning_rate = {log_uniform = [1e-3, 1.0], points = 2}

[[when]]
optimizer = "momentum"
space.optimizer_options.momentum = [0.5, 0.9]
"""


def test_a_space_file_with_a_conditional_block(tmp_path, capsys):
    (tmp_path / "space.toml").write_text(SPACE_FILE)
    assert cli.main(["sweep", "--config", "space.toml", "--json", "--out", "s"]) == 0
    assert json.loads(capsys.readouterr().out)["networks"] == 2 + 4
    table = mo.load_sweep("s")
    assert table["optimizer_options.momentum"].null_count() == 2


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (SPACE_FILE.replace("learning_rate =", "learning_rat ="), [], "did you mean 'learning_rate'"),
        (SPACE_FILE.replace("[1e-3, 1.0]", "[0.0, 1.0]"), [], "space.toml: learning_rate: log_uniform needs low > 0, got [0.0, 1.0]"),
        (SPACE_FILE.replace("[1e-3, 1.0]", "[1.0, 1.0]"), [], "the range is empty"),
        (SPACE_FILE, ["--batch-size", "4096"], "batch_size 4096 is larger than the 108 training rows"),
        (SPACE_FILE, ["--method", "random", "--trials", "0"], "trials must be a whole number >= 1, got 0"),
        (SPACE_FILE.replace("[sweep]", "[swept]"), [], "did you mean '[sweep]'"),
        (SPACE_FILE.replace('method = "grid"', "methods = 1"), [], "unknown key in space.toml [sweep] 'methods' (did you mean 'method'?)"),
        (SPACE_FILE.replace('method = "grid"', "epochs = 1"), [], "space.toml: [sweep] epochs belongs under the top of the file"),
        ("trials = 3\n" + SPACE_FILE, [], "space.toml: trials belongs under [sweep]"),
        (SPACE_FILE.replace("learning_rate =", "learning_rat ="), ["--space", "l2=[0.1]"], "space.toml with --space 'learning_rat'"),
        (SPACE_FILE + "x = ", [], "space.toml is not TOML"),
        (SPACE_FILE, ["--space", "optimizer = [adam]"], "is not TOML"),
        (SPACE_FILE, ["--resume", "elsewhere"], "give no other options"),
        ("", [], "name a dataset"),
    ],
)
def test_a_wrong_sweep_is_one_line_and_leaves_nothing(tmp_path, capsys, text, arguments, said):
    (tmp_path / "space.toml").write_text(text)
    assert cli.main(["sweep", "--config", "space.toml", *arguments]) == 2
    _, err = capsys.readouterr()
    assert said in err
    assert err.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"space.toml"}


def test_a_folder_that_holds_another_sweep_is_left_alone(tmp_path, capsys):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "trials.jsonl").write_text("precious")
    assert cli.main([*SWEEP, "--out", "s"]) == 2
    assert "already holds files" in capsys.readouterr().err
    assert (tmp_path / "s" / "trials.jsonl").read_text() == "precious"
    assert cli.main(["sweep", "--resume", "nowhere"]) == 2
    assert "cannot read the configuration nowhere/config.toml" in capsys.readouterr().err


def test_an_interrupted_sweep_goes_on_to_the_same_table(tmp_path, capsys):
    long = [*SWEEP[:2], "--epochs", "40", "--trials", "32", "--tile", "2", "--hidden", "64,64", *SWEEP[-2:]]
    assert program(*long, "--out", "whole").returncode == 0
    process = subprocess.Popen([sys.executable, "-m", "mlp_opt", *long, "--out", "cut"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "cut" / "trials.jsonl").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130, err
    assert "continue with: mlp-opt sweep --resume cut" in err
    assert len((tmp_path / "cut" / "trials.jsonl").read_text().splitlines()) < 32
    config = tmp_path / "cut" / "config.toml"
    original = config.read_text()
    config.write_text(original.replace("epochs = 40", "epochs = 41"))
    assert cli.main(["sweep", "--resume", "cut"]) == 2
    assert "was changed since the sweep began" in capsys.readouterr().err
    config.write_text(original)
    assert program("sweep", "--resume", "cut").returncode == 0
    whole, cut = mo.load_sweep("whole").drop("seconds"), mo.load_sweep("cut").drop("seconds")
    assert whole.equals(cut)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError("No space left on device")], ids=["Ctrl-C", "a full disk"])
def test_a_sweep_that_ended_while_its_report_was_drawn_goes_on_with_it(failure, tmp_path, monkeypatch, capsys):
    def drawing(*_):
        raise failure

    with monkeypatch.context() as cut:
        cut.setattr("mlp_opt.commands.sweep._report", drawing)
        assert cli.main([*SWEEP, "--out", "s"]) == (130 if isinstance(failure, KeyboardInterrupt) else 1)
    assert "what is done is kept, continue with: mlp-opt sweep --resume s" in capsys.readouterr().err
    log, table = (tmp_path / "s" / "trials.jsonl").read_bytes(), mo.load_sweep("s")
    assert cli.main(["sweep", "--resume", "s"]) == 0
    assert (tmp_path / "s" / "report.html").exists()
    assert (tmp_path / "s" / "trials.jsonl").read_bytes() == log
    assert mo.load_sweep("s").equals(table)


def test_show_reads_what_is_there_and_says_what_is_wrong(tmp_path, capsys):
    assert cli.main([*SWEEP, "--out", "s"]) == 0
    capsys.readouterr()
    assert cli.main(["sweep", "show", "s", "--top", str(10**30)]) == 0
    whole = capsys.readouterr().out
    assert "learning_rate" in whole  # on a line: nobody says how narrow it is
    (tmp_path / "s" / "trials.parquet").write_bytes(b"xx")
    assert cli.main(["sweep", "show", "s"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "trials.parquet is damaged" in err
    (tmp_path / "s" / "trials.parquet").unlink()
    assert cli.main(["sweep", "show", "s"]) == 0
    assert capsys.readouterr().out == whole
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text('dataset = "iris"\n')
    for line in (["sweep", "show", "run"], ["sweep", "--resume", "run"], ["train", "--from", "run", "--trial", "0"]):
        assert cli.main(line) == 2
        assert "run holds no sweep but a run of train" in capsys.readouterr().err


def test_what_was_damaged_is_told_and_done_again(tmp_path, capsys):
    assert cli.main([*SWEEP, "--out", "s"]) == 0
    table, log = mo.load_sweep("s"), bytearray((tmp_path / "s" / "trials.jsonl").read_bytes())
    log[log.index(b'"value": ') + 11] ^= 1
    (tmp_path / "s" / "trials.jsonl").write_bytes(log)
    (tmp_path / "s" / "result.json").unlink()
    assert cli.main(["sweep", "--resume", "s"]) == 0
    assert "trials.jsonl: 1 damaged or incomplete line(s) dropped; it was done again" in capsys.readouterr().err
    assert mo.load_sweep("s").drop("seconds").equals(table.drop("seconds"))


def test_all_diverged_is_exit_1_and_still_a_report(tmp_path, capsys):
    wild = ["--space", "learning_rate = [1e30, 1e31]", "--method", "grid", "--optimizer", "sgd"]
    assert cli.main([*SWEEP[:4], *wild, "--out", "s"]) == 1
    assert "every run diverged" in capsys.readouterr().err
    assert (tmp_path / "s" / "report.html").exists()
    assert mo.load_sweep("s")["status"].to_list() == ["diverged"] * 2
