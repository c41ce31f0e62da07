"""What `--tensorboard` writes, read back from the event files: records with their checksums, then tensorboardX's own protocol buffers."""

import csv
import json
import os
import struct
import sys

import numpy as np
import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

import mlp_opt as mo
from mlp_opt import cli
from mlp_opt.store.tensorboard import Scalars

pytestmark = pytest.mark.implicit_promotion


def checked(content, checksum):
    """A record's bytes, after TFRecord's masked CRC32C."""
    crc = crc32c(content)
    assert struct.unpack("<I", checksum)[0] == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    return content


def read(folder):
    """({tag: [(step, value), ...]}, {hyperparameter: value}) of the one event file in a folder."""
    (path,) = folder.glob("events.out.tfevents.*")
    content, at, scalars, chosen = path.read_bytes(), 0, {}, {}
    while at < len(content):
        (length,) = struct.unpack("<Q", checked(content[at : at + 8], content[at + 8 : at + 12]))
        event = Event.FromString(checked(content[at + 12 : at + 12 + length], content[at + 12 + length : at + 16 + length]))
        at += 16 + length
        for value in event.summary.value:
            plugin = value.metadata.plugin_data
            if plugin.plugin_name == "hparams":
                started = HParamsPluginData.FromString(plugin.content).session_start_info
                chosen |= {name: getattr(v, v.WhichOneof("kind")) for name, v in started.hparams.items()}
            else:
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
    return scalars, chosen


def history(epochs):
    e = np.arange(1, epochs + 1)
    return {"epoch": e, "train_loss": 1 / e, "train_r2": 1 - 1 / e, "val_loss": np.where(e == 2, np.nan, 2 / e)}


def test_a_full_disk_is_told_to_who_writes(tmp_path, monkeypatch):
    """tensorboardX's own writer has a thread for it, which would end, and everybody wait for its queue."""
    scalars = Scalars(tmp_path / "x")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            scalars.write(history(30))
    scalars.close()


def test_epochs_are_written_once_and_an_earlier_process_is_replaced(tmp_path):
    for epochs in ((2, 5), (1, 3, 3, 4)):
        scalars = Scalars(tmp_path / "x")
        for n in epochs:
            scalars.write(history(n))
        scalars.close()
        found, chosen = read(tmp_path / "x")
        assert chosen == {}
        assert set(found) == {"loss/train", "r2/train", "loss/val"}
        expected = history(epochs[-1])
        for tag, column in (("loss/train", "train_loss"), ("r2/train", "train_r2"), ("loss/val", "val_loss")):
            assert [step for step, _ in found[tag]] == expected["epoch"].tolist()
            np.testing.assert_allclose([v for _, v in found[tag]], expected[column], rtol=1e-6)


def test_hyperparameters_stand_beside_their_scores(tmp_path):
    scalars = Scalars(tmp_path)
    scalars.hyperparameters({"optimizer": "adam", "l2": 0.5, "nesterov": True, "momentum": None}, {"final/val_loss": 0.25}, 7)
    scalars.close()
    assert read(tmp_path) == ({"final/val_loss": [(7, 0.25)]}, {"optimizer": "adam", "l2": 0.5, "nesterov": True})


def test_train_writes_what_its_history_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "iris", "--epochs", "3", "--hidden", "8,4", "--out", "x", "--tensorboard"]) == 0
    scalars, _ = read(tmp_path / "x/tensorboard")
    with open("x/history.csv") as file:
        rows = list(csv.DictReader(file))
    for part in ("train", "val"):
        for what in ("loss", "accuracy"):
            assert [step for step, _ in scalars[f"{what}/{part}"]] == [1, 2, 3]
            expected = [float(row[f"{part}_{what}"]) for row in rows]
            np.testing.assert_allclose([v for _, v in scalars[f"{what}/{part}"]], expected, rtol=1e-6)


def test_a_sweep_has_a_run_for_each_of_its_best_trials(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = ["sweep", "iris", "--epochs", "3", "--hidden", "8", "--trials", "12", "--tile", "4", "--json", "--out", "s", "--tensorboard"]
    assert cli.main([*line, "--space", "learning_rate = {log_uniform = [1e-3, 1.0]}"]) == 0
    best = json.loads(capsys.readouterr().out)["best_trial"]
    table = mo.load_sweep("s")
    runs = {int(path.name.removeprefix("trial-")): read(path) for path in (tmp_path / "s/tensorboard").iterdir()}
    assert set(runs) == set(table.sort("val_loss")["trial"].head(10))
    assert min(runs, key=lambda trial: runs[trial][0]["final/val_loss"][0][1]) == best
    for trial, (scalars, chosen) in runs.items():
        row = table.row(trial, named=True)
        assert chosen == {"learning_rate": row["learning_rate"]}
        assert [step for step, _ in scalars["loss/val"]] == [1, 2, 3]
        assert scalars["loss/val"][row["best_epoch"] - 1][1] == pytest.approx(row["val_loss"], rel=1e-6)
        for name in ("train_loss", "val_loss", "val_accuracy", "test_accuracy"):
            ((step, value),) = scalars[f"final/{name}"]
            assert (step, value) == (3, pytest.approx(row[name], rel=1e-6))


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_without_tensorboardx_nothing_is_begun(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert cli.main([command, "iris", "--epochs", "1", "--tensorboard"]) == 2
    assert capsys.readouterr().err == "mlp-opt: --tensorboard needs tensorboardX: pip install 'mlp-opt[tensorboard]'\n"
    assert list(tmp_path.iterdir()) == []
