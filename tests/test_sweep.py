"""The sweep engine: lanes are what train runs, whatever is killed goes on to the same bits."""

import collections
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import mlp_opt as mo
from mlp_opt import experiment
from mlp_opt.data import sources
from mlp_opt.data.encode import Encoder
from mlp_opt.errors import InputError
from mlp_opt.store import model_files
from mlp_opt.store.sweep_folder import SweepFolder
from mlp_opt.sweeps import replay, results, run, study, table, tiles, worker
from mlp_opt.sweeps.engine import Engine
from mlp_opt.sweeps.pool import Pool

SPACE = {"learning_rate": {"log_uniform": [1e-3, 1.0]}, "optimizer": ["momentum", "adam"]}
RATES = {"learning_rate": SPACE["learning_rate"]}  # one program: enough where the optimizer does not matter
BASE = {"hidden": (8,), "epochs": 6, "batch_size": 16}


def make(space=SPACE, **settings):
    config, options = study.settings_of({"dataset": "iris"} | BASE | {"trials": 12, "tile": 4} | settings)
    return study.make(config, options, space)


def folder_of(path, made, space=SPACE):
    path.mkdir()
    run.start(made, space, (), path)
    return path


def without_time(frame):
    return frame.drop("seconds")


@pytest.fixture(scope="module")
def plain():
    return mo.sweep(SPACE, "iris", **BASE, trials=12, tile=4)


def test_every_lane_is_the_run_that_train_would_do(plain):
    made = make()
    for row in plain.table.iter_rows(named=True):
        real = made.experiment(study.LaneId(row["trial"], 0, 0))
        alone = experiment.run(real)
        assert row["status"] == alone.stopped == "finished"
        assert row["best_epoch"] == alone.best_epoch
        at = alone.best_epoch - 1
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            assert row[name] == pytest.approx(alone.history[name][at], rel=1e-3, abs=1e-4), (row["trial"], name)
        scores = experiment.finish(real, alone).about["metrics"]
        assert row["test_loss"] == pytest.approx(scores["test_loss"], rel=1e-3)


def test_the_table_has_a_row_a_lane_with_everything_in_it(plain):
    assert len(plain.table) == 12
    assert set(plain.table["optimizer"]) == {"momentum", "adam"}
    wanted = {"trial", "fold", "repeat", "seed", "learning_rate", "status", "epochs", "best_epoch", "diverged_at", "value", "seconds"}
    assert wanted | {f"{p}_{w}" for p in ("train", "val", "test") for w in ("loss", "accuracy")} <= set(plain.table.columns)
    board = plain.leaderboard
    assert board["rank"].to_list() == list(range(1, 11))
    assert board["val_loss"].to_list() == sorted(board["val_loss"].to_list())
    assert board["trial"][0] == plain.best.about["trial"]["trial"]


def test_best_and_ensemble_predict_what_the_table_says(plain, tmp_path, monkeypatch):
    data = sources.load("iris")
    made = make()
    row = plain.table.filter(pl.col("trial") == plain.leaderboard["trial"][0]).row(0, named=True)
    assert results.score(plain.best, made.test.X, made.test.y) == pytest.approx(row["test_accuracy"])
    assert plain.best.about["metrics"]["validation_loss"] == pytest.approx(row["val_loss"], rel=1e-5)
    members = plain.ensemble.members
    assert [m.about["trial"]["trial"] for m in members] == plain.leaderboard["trial"].to_list()[:8]
    mean = np.mean([m.predict(data.X) for m in members], axis=0)
    np.testing.assert_array_equal(plain.ensemble.predict(data.X), mean)
    model_files.save(tmp_path, plain.ensemble)
    loaded, encoded, encode = mo.load(tmp_path), [], Encoder.X
    monkeypatch.setattr(Encoder, "X", lambda self, *args: encoded.append(1) or encode(self, *args))
    np.testing.assert_array_equal(loaded.predict(data.X), mean)
    assert len(encoded) == 1  # not by each of the eight


def test_a_diverging_neighbour_changes_no_bit():
    space = {"learning_rate": [0.01, 0.02, 0.05, 0.1]}
    wild = {"learning_rate": [0.01, 1e30, 0.05, 0.1]}
    tables = [mo.sweep(s, "iris", **BASE, optimizer="sgd", method="grid", tile=4).table for s in (space, wild)]
    assert tables[1]["status"].to_list() == ["finished", "diverged", "finished", "finished"]
    assert tables[1]["diverged_at"][1] >= 1
    assert tables[1].select("value", "test_loss", "test_accuracy").row(1) == (None, None, None)
    keep = pl.col("trial") != 1
    assert_frame_equal(without_time(tables[0].filter(keep)), without_time(tables[1].filter(keep)), check_exact=True)


def test_bits_do_not_depend_on_place_or_on_how_a_tile_is_filled():
    rates = [0.01, 0.02, 0.03, 0.05, 0.1, 0.2]
    first = mo.sweep({"learning_rate": rates}, "iris", **BASE, method="grid", tile=4).table
    turned = mo.sweep({"learning_rate": rates[::-1]}, "iris", **BASE, method="grid", tile=4).table.sort("learning_rate")
    assert first["val_loss"].to_list() == turned["val_loss"].to_list()


def test_all_diverged_is_no_crash():
    found = mo.sweep({"learning_rate": [1e30, 1e31]}, "iris", **BASE, optimizer="sgd", method="grid", tile=4)
    assert found.best is None
    assert found.ensemble is None
    assert found.leaderboard.is_empty()


def test_folds_and_repeats_are_lanes_and_the_test_part_is_never_in_them():
    made = make(folds=3, repeats=2)
    assert len(made.folds) == 3
    held = [tuple(row) for _, part, _ in made.folds for row in part.X]
    counts = {len(part.y) for _, part, _ in made.folds}
    assert len(counts) == 1
    for rows, part, scaler in made.folds:
        np.testing.assert_allclose(scaler.X(rows.X).mean(axis=0), 0, atol=1e-9)
        assert len(rows.y) + len(part.y) <= 120
    assert len(held) == 3 * counts.pop()
    found = mo.sweep(RATES, "iris", **BASE, trials=4, folds=3, repeats=2, tile=4)
    assert len(found.table) == 4 * 6
    assert found.table.group_by("trial").agg(pl.col("seed").unique().sort())["seed"].to_list() == [[0, 1]] * 4
    best = found.leaderboard.row(0, named=True)
    mine = found.table.filter(pl.col("trial") == best["trial"])
    assert best["val_loss"] == pytest.approx(mine["val_loss"].mean())
    folds = mine.group_by("fold").agg(pl.col("val_loss").mean())["val_loss"]  # the seeds of a fold share its rows
    assert best["val_loss_se"] == pytest.approx(folds.std() / np.sqrt(3))
    assert best["lanes"] == 6
    assert found.best.about["rows"]["train"] == 120  # refitted on all rows that are not test rows
    assert found.best.about["metrics"]["cv_lanes"] == 6


def test_halving_drops_the_worst_and_its_survivors_end_on_the_bits_of_the_full_sweep():
    full = mo.sweep(SPACE, "iris", **BASE | {"epochs": 9}, trials=18, tile=4)
    cut = mo.sweep(SPACE, "iris", **BASE | {"epochs": 9}, trials=18, tile=4, halving=True)
    assert sorted(cut.table["epochs"].to_list()) == [1] * 12 + [3] * 4 + [9] * 2
    assert cut.table["status"].to_list().count("halved") == 16
    ended = cut.table.filter(pl.col("status") == "finished")
    same = full.table.join(ended.select("trial"), on="trial", maintain_order="right")
    assert ended["val_loss"].to_list() == same["val_loss"].to_list()
    first = cut.rungs.filter(pl.col("rung") == 0).sort("value", "trial")
    assert set(first["trial"][:6]) == set(cut.rungs.filter(pl.col("rung") == 1)["trial"])
    assert len(cut.histories[ended["trial"][0]]["epoch"]) == 9


def test_hyperband_deals_trials_to_brackets():
    found = mo.sweep(SPACE, "iris", **BASE | {"epochs": 9}, trials=18, tile=4, halving=True, brackets=3)
    assert set(found.table["bracket"]) == {0, 1, 2}
    assert found.table.filter(pl.col("bracket") == 2)["epochs"].to_list() == [9] * len(found.table.filter(pl.col("bracket") == 2))


def test_the_first_tile_of_a_program_holds_nobody_off_while_it_trains(monkeypatch):
    real, both = tiles.advance_tile, threading.Barrier(2, timeout=30)

    def advance(spec, shared, state, hparams, data, first, until):
        if until > first:
            both.wait()
        return real(spec, shared, state, hparams, data, first, until)

    monkeypatch.setattr(tiles, "advance_tile", advance)
    found = mo.sweep(RATES, "iris", **BASE, trials=8, tile=4, workers=2)
    assert found.table["status"].to_list() == ["finished"] * 8


def test_a_tile_begun_while_it_waits_is_what_its_worker_would_have_begun(monkeypatch):
    real, begun = worker.Trainer.begin, []
    monkeypatch.setattr(worker.Trainer, "begin", lambda self, task: begun.append(real(self, task)) or begun[-1])
    ahead = mo.sweep(RATES, "iris", **BASE, trials=12, tile=4, workers=1).table
    assert len(begun) == 3
    assert begun[2] is not None  # the third waits for the first, whose program it shares
    monkeypatch.setattr(worker.Trainer, "begin", lambda self, task: None)
    alone = mo.sweep(RATES, "iris", **BASE, trials=12, tile=4, workers=1).table
    assert_frame_equal(without_time(ahead), without_time(alone), check_exact=True)


on_a_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="tiles take turns on a CPU")


def slowed(advance):
    """An `advance_tile` of 30 ms an epoch."""

    def slow(spec, shared, state, hparams, data, first, until):
        time.sleep(0.03 * (until - first))
        return advance(spec, shared, state, hparams, data, first, until)

    return slow


@on_a_cpu
def test_the_last_tiles_take_turns_so_that_the_workers_end_together(monkeypatch):
    settings, trained = BASE | {"epochs": 40, "trials": 12, "tile": 4}, collections.Counter()
    slow = slowed(tiles.advance_tile)

    def advance(spec, shared, state, hparams, data, first, until):
        trained[threading.get_ident()] += until - first
        return slow(spec, shared, state, hparams, data, first, until)

    oracle = mo.sweep(RATES, "iris", **settings, workers=1).table
    monkeypatch.setattr(tiles, "advance_tile", advance)
    monkeypatch.setattr(tiles, "STEP_S", {"cpu": 0.005})
    monkeypatch.setattr(worker.Trainer, "begin", lambda self, task: None)  # all tiles wait at once
    found = mo.sweep(RATES, "iris", **settings, workers=2).table
    assert sum(trained.values()) == 3 * 40
    assert min(trained.values()) >= 48  # where nobody shares one worker trains two tiles and one 40 epochs
    assert_frame_equal(without_time(oracle), without_time(found), check_exact=True)


@on_a_cpu
@pytest.mark.parametrize("after", [1, 3])
def test_tiles_that_were_stopped_while_others_had_their_turn_go_on_to_the_same_bits(monkeypatch, tmp_path, after):
    slow, calls = slowed(tiles.advance_tile), itertools.count(1)
    settings = {"space": RATES, "trials": 16, "tile": 4, "workers": 2, "epochs": 8}
    oracle = run.run(make(**settings), folder_of(tmp_path / "oracle", make(**settings)))
    path, stop = folder_of(tmp_path / "stopped", make(**settings)), threading.Event()

    def advance(spec, shared, state, hparams, data, first, until):
        if until > first and next(calls) == 2 * after:
            stop.set()
        return slow(spec, shared, state, hparams, data, first, until)

    monkeypatch.setattr(tiles, "advance_tile", advance)
    monkeypatch.setattr(tiles, "STEP_S", {"cpu": 0.005})
    monkeypatch.setattr(worker.Trainer, "begin", lambda self, task: None)  # all tiles wait at once
    assert run.run(make(**settings), path, stop=stop) is None
    parts = len(list((path / "states").glob("part-*")))
    assert parts >= min(after + 1, 3)  # of two that trained, and of those that waited
    assert_frame_equal(without_time(oracle.table), without_time(run.run(make(**settings), path).table), check_exact=True)


def test_a_tile_under_way_is_saved_every_so_often(monkeypatch, tmp_path):
    saved, save = collections.Counter(), SweepFolder.save
    monkeypatch.setattr(SweepFolder, "save", lambda self, name, content: saved.update([name]) or save(self, name, content))
    monkeypatch.setattr(worker, "CALL_S", 0.0)  # an epoch a call
    once = run.run(make(RATES, trials=8), folder_of(tmp_path / "once", make(RATES, trials=8), RATES))
    assert not [name for name in saved if "part-" in name]
    monkeypatch.setattr(worker, "CHECKPOINT_EVERY_S", 0.0)
    often = run.run(make(RATES, trials=8), folder_of(tmp_path / "often", make(RATES, trials=8), RATES))
    assert saved["states/part-b0-r0-00000"] == saved["states/part-b0-r0-00001"] == BASE["epochs"] - 1
    assert not list((tmp_path / "often" / "states").glob("part-*"))
    assert_frame_equal(without_time(once.table), without_time(often.table), check_exact=True)


@on_a_cpu
def test_a_worker_takes_no_tile_whose_program_another_compiles_if_it_can_help_it(tmp_path):
    made = make({"hidden": [[8], [64, 64]], "learning_rate": [0.1, 0.2, 0.3, 0.4]}, method="grid", tile=2)
    trainer = worker.Trainer(made.plan, made.datasets(), None, SweepFolder(tmp_path), worker.Progress(1))
    trainer.sharing = True
    for bucket in made.plan.buckets:
        bucket.tile = 2
    for k, (bucket, lanes) in enumerate(made.plan.tiles(range(8))):
        trainer.add(worker.Task(f"t{k}", 0, 0, bucket, lanes, 0, 6, True))
    large = max(range(2), key=lambda b: sum(made.plan.buckets[b].spec.model.sizes))
    first = trainer._waiting.pop(trainer._longest())
    trainer._training.append(first)
    assert first.task.bucket == large
    assert trainer._waiting[trainer._longest()].task.bucket == 1 - large
    trainer.compiled.add((large, 0))
    assert trainer._waiting[trainer._longest()].task.bucket == large


def test_tiles_that_are_done_are_kept_where_the_next_cannot_be_begun(monkeypatch, tmp_path):
    real, begun = worker.Trainer.begin, itertools.count(1)

    def begin(self, task):
        if next(begun) == 4:
            raise KeyboardInterrupt
        return real(self, task)

    monkeypatch.setattr(worker.Trainer, "begin", begin)
    made = make(RATES, trials=20, workers=1)
    path = folder_of(tmp_path / "s", made, RATES)
    with pytest.raises(KeyboardInterrupt):
        run.run(made, path)
    assert {row["task"] for row in SweepFolder(path).rows()} >= {"b0-r0-00000", "b0-r0-00001"}  # the second was brought, not read


def test_the_next_tiles_are_begun_before_a_finished_one_is_read(monkeypatch):
    told, begin, finish = [], worker.Trainer.begin, Engine._finish
    monkeypatch.setattr(worker.Trainer, "begin", lambda self, task: told.append(("begin", task.key)) or begin(self, task))
    monkeypatch.setattr(Engine, "_finish", lambda self, task, *rest: told.append(("finish", task.key)) or finish(self, task, *rest))
    mo.sweep(RATES, "iris", **BASE, trials=12, tile=2, workers=1)
    keys = [key for what, key in told if what == "begin"]
    assert sorted(told) == sorted((what, key) for what in ("begin", "finish") for key in keys)
    for k, key in enumerate(keys[:4]):  # two are in flight
        assert told.index(("begin", keys[k + 2])) < told.index(("finish", key))


@pytest.mark.parametrize(
    ("stages", "buckets", "workers", "size"),
    [
        ([(4096, 9)], 1, 2, 16), ([(64, 9)], 1, 2, 16), ([(48, 9)], 1, 2, 8), ([(8, 9)], 1, 2, 4), ([(2, 9)], 1, 2, 1),
        ([(64, 9)], 1, 1, 16), ([(20, 9)], 1, 1, 4), ([(40, 9)], 1, 2, 8),  # five tiles, in turns
        ([(24, 9)], 1, 2, 8), ([(24, 9)], 4, 2, 8), ([(48, 9)], 2, 2, 16), ([(8, 9)], 12, 2, 8),
        ([(64, 3), (21, 6), (7, 18)], 1, 2, 4), ([(64, 3), (21, 6), (7, 18), (40, 9)], 1, 2, 4),
        ([(4096, 3), (1365, 6), (455, 18)], 1, 2, 16),
    ],
)  # fmt: skip
def test_a_large_sweeps_tile_is_such_that_the_workers_end_together(monkeypatch, stages, buckets, workers, size):
    assert choose(monkeypatch, stages, buckets, workers, 10**9) == size


@pytest.mark.parametrize(
    ("stages", "buckets", "size"),
    [([(1, 9)], 1, 4), ([(8, 9)], 1, 4), ([(24, 9)], 1, 4), ([(24, 9)], 4, 4), ([(64, 9)], 1, 16), ([(64, 3), (21, 6), (7, 18)], 1, 4)],
)
def test_small_sweeps_have_few_sizes_so_that_they_find_their_programs(monkeypatch, stages, buckets, size):
    assert choose(monkeypatch, stages, buckets, 2, 1_000) == size


def choose(monkeypatch, stages, buckets, workers, rows):
    bucket = make(RATES, hidden=(32, 32), batch_size=32).plan.buckets[0]
    monkeypatch.setattr(tiles, "_remembered", lambda: {tiles._key(bucket, workers, "cpu"): 16})
    return tiles.choose(bucket, stages, 1, buckets, workers, "cpu", pytest.fail, rows)


@pytest.mark.parametrize(("lanes", "workers", "size"), [(1, 1, 1), (48, 1, 64), (4096, 1, 2048), (64, 4, 16), (5, 2, 4)])
def test_a_gpus_tile_holds_a_devices_share(monkeypatch, lanes, workers, size):
    bucket = make(RATES, hidden=(32, 32), batch_size=32).plan.buckets[0]
    monkeypatch.setattr(tiles, "_remembered", dict)
    assert tiles.choose(bucket, [(lanes, 9)], 1, 1, workers, "gpu", pytest.fail, 1_000) == size


def test_a_bucket_knows_how_many_of_its_lanes_train_how_long(tmp_path):
    made = make(SPACE, trials=40, repeats=2, halving=True, epochs=9)
    engine = Engine(made.plan, made.brackets, made.datasets(), None, SweepFolder(tmp_path, False), run._Describe(made), made.has_validation)
    for bucket in made.plan.buckets:
        n = len(bucket.trials)
        assert engine._stages(bucket) == [(2 * n, 1), (2 * max(1, n // 3), 2), (2 * max(1, n // 9), 6)]


@pytest.mark.parametrize(
    ("seconds", "size"),
    [({2: 1.0, 8: 1.1, 32: 1.2}, 2), ({2: 1.3, 8: 1.0, 32: 1.06}, 8), ({2: 1.02, 8: 1.0, 32: 1.04}, 32), ({2: 1.0, 8: 0.97, 32: 1.1}, 8)],
)
def test_a_large_bucket_measures_its_tile_once_and_prefers_large_ones(monkeypatch, tmp_path, seconds, size):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tiles, "guess", lambda bucket, platform: 8)
    bucket = make(RATES, hidden=(32, 32), batch_size=32).plan.buckets[0]
    stages = [(4096, 10**6)]
    assert tiles.choose(bucket, stages, 1, 1, 2, "cpu", seconds.__getitem__, 1000) == size
    assert tiles.choose(bucket, stages, 1, 1, 2, "cpu", pytest.fail, 1000) == size
    assert tiles.choose(bucket, [(4096, 1)], 1, 1, 1, "cpu", pytest.fail, 1) == 8  # other workers, and little work


def test_what_is_measured_is_no_larger_than_what_is_trained(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bucket = make(RATES, hidden=(32, 32), batch_size=32).plan.buckets[0]
    assert tiles.choose(bucket, [(4, 10**6)], 1, 1, 2, "cpu", pytest.fail, 10**6) == 2


def test_a_bucket_is_compiled_once_and_no_rung_compiles():
    tiles.advance_tile.clear_cache()
    mo.sweep(SPACE, "iris", **BASE | {"epochs": 9}, trials=21, tile=4, halving=True, repeats=2)
    assert tiles.advance_tile._cache_size() == 2  # momentum and adam


@pytest.mark.parametrize(
    "settings", [{}, {"halving": True, "epochs": 9}, {"folds": 3, "repeats": 2, "trials": 6}], ids=["plain", "halving", "folds"]
)
def test_a_stopped_sweep_goes_on_to_the_same_bits(settings, tmp_path):
    settings = settings | {"tile": 1}
    oracle = run.run(make(**settings), folder_of(tmp_path / "oracle", make(**settings)))
    settings = settings | {"workers": 1}
    path = folder_of(tmp_path / "stopped", make(**settings))
    stops = 0
    while True:
        tiles_done = []

        def stop(engine, tiles_done=tiles_done):
            tiles_done.append(engine.progress.epochs_done)
            if len(tiles_done) > 1 and len({*tiles_done}) > 1:
                engine.stop.set()

        found = run.run(make(**settings), path, stop)
        if found is not None:
            break
        stops += 1
    assert stops >= 2
    assert_frame_equal(without_time(oracle.table), without_time(found.table), check_exact=True)
    for a, b in zip(oracle.best.params, found.best.params, strict=True):
        np.testing.assert_array_equal(a.W, b.W)
    assert oracle.best.about["metrics"] == found.best.about["metrics"]
    assert_frame_equal(without_time(mo.load_sweep(path)), without_time(found.table))


@pytest.mark.parametrize(("out", "advice"), [(None, "without out nothing of it is kept"), ("stopped", "resume=True and out='.*stopped'")])
def test_a_stopped_sweep_says_whether_and_how_it_goes_on(out, advice, tmp_path):
    with pytest.raises(InputError, match=f"the sweep was stopped; .*{advice}"):
        mo.sweep(
            RATES, "iris", **BASE, trials=12, tile=1, workers=1, out=out and tmp_path / out, on_progress=lambda engine: engine.stop.set()
        )


def _damage(path):
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


HALVED = {"halving": True, "epochs": 9, "tile": 2, "workers": 1}


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """(what a halving found, its folder with all states as a kill just before the end leaves it)."""
    path = folder_of(tmp_path_factory.mktemp("halved") / "sweep", make(**HALVED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SweepFolder, "remove", lambda self, name: None)
        found = run.run(make(**HALVED), path)
    return found, path


def _trained(monkeypatch):
    """The keys of the tiles that are trained from now on."""
    keys, add = [], worker.Trainer.add
    monkeypatch.setattr(worker.Trainer, "add", lambda self, task: keys.append(task.key) or add(self, task))
    return keys


def test_damaged_files_are_set_aside_and_what_they_held_is_done_again(tmp_path, halved, monkeypatch):
    path = folder_of(tmp_path / "hurt", make(**HALVED))

    def stop(engine):
        if len(list((path / "states").glob("b0*"))) >= 2:
            engine.stop.set()

    assert run.run(make(**HALVED), path, stop) is None
    log = (path / "trials.jsonl").read_bytes()
    first = json.loads(log.splitlines()[0])["task"]  # not the one whose line is cut off: that is done again without a look at its state
    _damage(path / "states" / f"{first}.safetensors")
    (path / "trials.jsonl").write_bytes(log[:-20])
    keys = _trained(monkeypatch)
    found = run.run(make(**HALVED), path)
    assert first in keys
    assert (path / "states" / f"{first}.safetensors.damaged").exists()
    assert (path / "trials.jsonl.damaged").read_bytes() == log[:-20]
    assert_frame_equal(without_time(halved[0].table), without_time(found.table), check_exact=True)
    assert [p.name for p in (path / "states").iterdir() if not p.name.endswith(".damaged")] == []  # it is finished


def test_a_lost_state_that_nobody_goes_on_from_is_not_made_again(tmp_path, halved, monkeypatch):
    shutil.copytree(halved[1], tmp_path / "s")
    for state in (tmp_path / "s" / "states").iterdir():
        _damage(state)
    log, keys = (tmp_path / "s" / "trials.jsonl").read_bytes(), _trained(monkeypatch)
    found = run.run(make(**HALVED), tmp_path / "s")
    assert keys == []
    assert (tmp_path / "s" / "trials.jsonl").read_bytes() == log
    assert_frame_equal(halved[0].table, found.table, check_exact=True)


def test_lost_weights_are_trained_again_from_what_is_left(tmp_path, halved, monkeypatch):
    """The last rung's weights and one state that they went on from: that state is made first, then they, and nothing else."""
    shutil.copytree(halved[1], tmp_path / "s")
    last = {p.name.removesuffix(".safetensors") for p in (tmp_path / "s" / "models").iterdir()}
    for saved in [*(tmp_path / "s" / "models").iterdir(), *(tmp_path / "s" / "states").glob("b0-r1-*")]:
        _damage(saved)
    keys = _trained(monkeypatch)
    found = run.run(make(**HALVED), tmp_path / "s")
    assert set(keys[-len(last) :]) == last
    assert {key[:5] for key in keys[: -len(last)]} == {"b0-r1"}
    assert_frame_equal(without_time(halved[0].table), without_time(found.table), check_exact=True)
    np.testing.assert_array_equal(halved[0].best.params[0].W, found.best.params[0].W)
    keys.clear()
    for saved in (tmp_path / "s" / "models").iterdir():
        _damage(saved)
    again = run.run(make(**HALVED), tmp_path / "s")  # of a finished sweep, whose states are gone
    assert {key[:5] for key in keys} == {"b0-r0", "b0-r1", "b0-r2"}
    assert_frame_equal(without_time(halved[0].table), without_time(again.table), check_exact=True)
    np.testing.assert_array_equal(halved[0].best.params[0].W, again.best.params[0].W)


def test_a_bracket_that_ended_with_a_rung_of_diverged_runs_is_counted_once(tmp_path):
    space, settings = {"learning_rate": [1e30, 1e31, 1e32]}, {**HALVED, "optimizer": "sgd", "method": "grid"}
    path, seen = folder_of(tmp_path / "s", make(space, **settings), space), []
    assert run.run(make(space, **settings), path).best is None
    for state in (path / "states").iterdir():
        _damage(state)
    assert run.run(make(space, **settings), path, lambda engine: seen.append(engine.progress)).best is None
    assert seen[-1].lanes_done == seen[-1].lanes


def test_what_another_version_began_is_looked_at_and_not_gone_on_with(tmp_path, halved):
    shutil.copytree(halved[1], tmp_path / "s")
    plan, log = tmp_path / "s" / "plan.json", tmp_path / "s" / "trials.jsonl"
    plan.write_text(json.dumps({k: v for k, v in json.loads(plan.read_text()).items() if k != "version"}))
    log.write_text("".join(json.dumps(row) + "\n" for row in SweepFolder(halved[1]).rows()))
    before = log.read_bytes()
    with pytest.raises(InputError, match="another version of mlp_opt began the sweep"):
        run.run(make(**HALVED), tmp_path / "s")
    assert log.read_bytes() == before
    (tmp_path / "s" / "trials.parquet").unlink()
    assert len(mo.load_sweep(tmp_path / "s")) == len(halved[0].table)


def test_progress_counts_what_is_done_again_once(tmp_path, halved):
    shutil.copytree(halved[1], tmp_path / "s")
    for saved in [*(tmp_path / "s" / "models").iterdir(), *(tmp_path / "s" / "states").iterdir()]:
        _damage(saved)
    seen = []
    run.run(make(**HALVED), tmp_path / "s", lambda engine: seen.append(engine.progress))
    assert (seen[-1].epochs_done, seen[-1].lanes_done) == (seen[-1].epochs, seen[-1].lanes)


@pytest.mark.parametrize("place", range(0, 240, 7))
def test_any_bit_of_a_line_of_the_log(tmp_path, halved, place):
    log = (halved[1] / "trials.jsonl").read_bytes()
    end = log.index(b"\n")
    hurt = bytearray(log)
    hurt[place % end] ^= 1
    (tmp_path / "trials.jsonl").write_bytes(hurt)
    assert SweepFolder(tmp_path).rows() == SweepFolder(halved[1]).rows()[1:]


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    folder = SweepFolder(tmp_path)
    folder.append([{"task": "a", "lane": 0, "rung": 0}])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            folder.append([{"task": "b", "lane": 1, "rung": 0}])
    folder.append([{"task": "c", "lane": 2, "rung": 0}])
    assert [row["task"] for row in folder.rows()] == ["a", "c"]


def test_a_file_that_cannot_be_read_just_now_is_not_set_aside(tmp_path, monkeypatch):
    folder = SweepFolder(tmp_path)
    with folder.writing():
        folder.save("states/a", {"a": np.arange(3)})
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(OSError(24, "Too many open files")))
            with pytest.raises(OSError, match="Too many"):
                folder.load("states/a")
        np.testing.assert_array_equal(folder.load("states/a")["a"], [0, 1, 2])


def test_two_processes_that_begin_in_one_folder(tmp_path):
    """The second finds the first's description, which stays as it is."""
    made = make()
    path = folder_of(tmp_path / "s", made)
    before = (path / "config.toml").read_text()
    with pytest.raises(InputError, match="another process has begun a sweep in"):
        run.start(make(trials=3), SPACE, (), path)
    assert (path / "config.toml").read_text() == before
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "lock").write_text("")
    assert len(mo.sweep(RATES, "iris", **BASE, trials=2, tile=2, out=tmp_path / "killed").table) == 2


def test_what_a_killed_process_left_goes(tmp_path):
    folder = SweepFolder(tmp_path)
    for name in (".trials.parquet.abcd1234", ".report.html.x_y_z_12", ".keep.settings", "notes.txt"):
        (tmp_path / name).write_text("")
    with folder.writing():
        assert {p.name for p in tmp_path.iterdir()} == {".keep.settings", "notes.txt", "lock", "states", "models"}


def test_the_best_do_not_depend_on_the_order_in_which_tiles_end(tmp_path):
    """Sums of float64 do; and of trials with equal means the first is best, as on the leaderboard."""
    made = make(folds=3)
    found = []
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 2, 0, 4, 3, 5]):
        pool = Pool(made.plan, SweepFolder(tmp_path), 6, True)
        values = dict(enumerate((-0.7, -0.8, -0.9, -0.9, -0.7, -0.8)))
        for lane in order:
            pool._enter([{"lane": lane, "value": values[lane]}])
        found.append(pool.best)
    assert found[0] == found[1] == found[2]
    ties = Pool(made.plan, SweepFolder(tmp_path), 6, True)
    for lane, value in enumerate((0.5, 0.5, 0.5, 0.25, 0.5, 0.75)):
        ties._enter([{"lane": lane, "value": value}])
    assert [lane for _, _, lane in ties.best] == [0, 1, 2, 3, 4, 5]


def test_trials_that_were_halved_rank_after_those_that_were_not(plain):
    """`best` is one of the latter; without a validation part a loss may rise after the rung at which another was dropped."""
    first = plain.leaderboard["trial"].to_list()
    rung = pl.when(pl.col("trial").is_in(first[:2])).then(0).otherwise(1)
    halved, varied = plain.table.with_columns(rung=rung), ["learning_rate", "optimizer"]
    board = table.leaderboard(halved, varied, "accuracy", top=12)["trial"].to_list()
    assert (board[-2:], board[: len(first) - 2]) == (first[:2], first[2:])
    diverged = halved.with_columns(value=pl.when(pl.col("rung") == 0).then("value"))  # `best` is then of those that were dropped
    assert table.leaderboard(diverged, varied, "accuracy")["trial"].to_list() == first[:2]
    running = halved.with_columns(status=pl.when(pl.col("rung") == 0).then(pl.lit("running")).otherwise("status"))
    assert table.leaderboard(running, varied, "accuracy")["trial"].to_list() == first  # nobody is dropped yet


def test_a_seed_that_varies_is_on_the_leaderboard(plain):
    assert "seed" not in plain.leaderboard.columns
    found = mo.sweep({"seed": [3, 5]}, "iris", **BASE, method="grid", repeats=2).leaderboard
    assert found.sort("trial")["seed"].to_list() == [3, 5]


def test_a_lane_whose_patience_ends_with_its_rung_is_not_called_halved():
    settings = {"halving": True, "eta": 2, "min_epochs": 4, "epochs": 16, "patience": 2, "tile": 4, "trials": 16}
    space = {"learning_rate": {"log_uniform": [1e-2, 3.0]}}
    found = mo.sweep(space, "iris", hidden=(6,), batch_size=16, optimizer="momentum", **settings).table
    dropped = found.filter(pl.col("status").is_in(["halved", "patience"]) & (pl.col("epochs") < 16))
    assert set(dropped["status"]) == {"halved", "patience"}
    assert ((dropped["epochs"] - dropped["best_epoch"] >= 2) == (dropped["status"] == "patience")).all()


def test_lost_weights_of_the_best_are_trained_again(tmp_path, plain):
    path = folder_of(tmp_path / "sweep", make())
    found = run.run(make(), path)
    assert_frame_equal(without_time(plain.table), without_time(found.table), check_exact=True)
    for saved in (path / "models").iterdir():
        _damage(saved)
    again = run.run(make(), path)
    assert_frame_equal(without_time(found.table), without_time(again.table), check_exact=True)
    np.testing.assert_array_equal(found.best.params[0].W, again.best.params[0].W)


def test_the_damaged_checkpoint_of_a_tile_gives_way_to_the_one_before(tmp_path):
    folder = SweepFolder(tmp_path)
    with folder.writing():
        folder.save("states/part-x", {"a": np.arange(3)})
        folder.save("states/part-x", {"a": np.arange(3) + 1})
        np.testing.assert_array_equal(folder.load("states/part-x")["a"], [1, 2, 3])
        _damage(tmp_path / "states/part-x.safetensors")
        np.testing.assert_array_equal(folder.load("states/part-x")["a"], [0, 1, 2])
        assert folder.damaged
        (tmp_path / "states/part-x.safetensors.1").write_bytes(b"x" * 5)
        assert folder.load("states/part-x") is None


def test_a_trial_trained_again_has_the_same_bits(tmp_path):
    settings = {"folds": 2, "repeats": 2, "trials": 5, "patience": 2, "epochs": 12}
    path = folder_of(tmp_path / "sweep", make(RATES, **settings), RATES)
    table = run.run(make(RATES, **settings), path).table
    for lane in ((0, 0, 0), (3, 1, 1)):
        _, go = replay.prepare(path, lane)
        again = go()
        row = table.filter((pl.col("trial") == lane[0]) & (pl.col("fold") == lane[1]) & (pl.col("repeat") == lane[2])).row(0, named=True)
        assert len(again.history["epoch"]) == row["epochs"]
        assert again.history["val_loss"][again.best_epoch - 1] == row["val_loss"]
    with pytest.raises(InputError, match="trial must be from 0 to 4"):
        replay.prepare(path, (9, 0, 0))


def test_a_first_call_of_very_many_steps_feels_its_way(tmp_path, monkeypatch):
    made = make()
    made.plan.buckets[0].tile = made.plan.buckets[1].tile = 4
    trainer = worker.Trainer(made.plan, made.datasets(), None, SweepFolder(tmp_path), worker.Progress(1))
    task = worker.Task("t", 0, 0, 0, (0,), 0, 1_000, True)
    assert trainer._epochs(task, 0) == worker.HISTORY_ROWS
    assert trainer._epochs(task, 990) == 10
    monkeypatch.setattr(tiles, "STEP_S", {"cpu": 0.1, "gpu": 0.1})  # as 10,000 times as many rows
    assert trainer._epochs(task, 0) == 1


def test_resume_refuses_another_configuration_and_other_data(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    out = tmp_path / "s"
    mo.sweep({"learning_rate": [0.1, 0.2]}, X, y, method="grid", epochs=1, out=out)
    with pytest.raises(InputError, match="already holds files"):
        mo.sweep({"learning_rate": [0.1, 0.2]}, X, y, method="grid", epochs=1, out=out)
    with pytest.raises(InputError, match="holds another sweep"):
        mo.sweep({"learning_rate": [0.1, 0.3]}, X, y, method="grid", epochs=1, out=out, resume=True)
    with pytest.raises(InputError, match="not those that the sweep"):
        mo.sweep({"learning_rate": [0.1, 0.2]}, X + 1, y, method="grid", epochs=1, out=out, resume=True)
    plan = json.loads((out / "plan.json").read_text())
    (out / "plan.json").write_text(json.dumps(plan | {"tiles": plan["tiles"] * 2}))
    with pytest.raises(InputError, match=r"plan\.json has 2 tile sizes for 1 programs: another version"):
        mo.sweep({"learning_rate": [0.1, 0.2]}, X, y, method="grid", epochs=1, out=out, resume=True)
    config = (out / "config.toml").read_text()
    (out / "config.toml").write_text(config.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(InputError, match="was changed since the sweep began"):
        mo.sweep({"learning_rate": [0.1, 0.2]}, X, y, method="grid", epochs=2, out=out, resume=True)


@pytest.mark.parametrize(
    ("space", "settings", "said"),
    [
        ({"batch_size": [16, 4096]}, {}, "trial 1 (batch_size=4096): batch_size 4096 is larger than the 108 training rows"),
        ({"optimizer": ["adam", "momentun"]}, {}, "did you mean 'momentum'"),
        ({"optimizer_options": {"momentum": [0.9]}}, {}, "unknown option of optimizer adam 'momentum'"),
        ({"learning_rate": [0.1, -0.1]}, {}, "trial 1 (learning_rate=-0.1): learning_rate must be a number > 0"),
        (
            {"optimizer_options": {"b1": [0.9, 1.5]}},
            {},
            "trial 1 (optimizer_options.b1=1.5): option b1 of optimizer adam must be from 0 up to but not 1, got 1.5",
        ),
        ([{"learning_rate": 0.1}, {"optimizer": "sgd", "learning_rate": -1.0}, {"learning_rate": -2.0}], {}, "trial 1 (optimizer=sgd"),
        ({"learning_rate": [0.1]}, {"method": "girid"}, "did you mean 'grid'"),
        ({"learning_rate": [0.1]}, {"folds": 99}, "folds must be at most 40"),
        ({"learning_rate": [0.1]}, {"brackets": 3}, "brackets 3 needs halving"),
        ({"learning_rate": [0.1]}, {"eta": 1, "halving": True}, "eta must be a whole number >= 2"),
        ({"learning_rate": [0.1]}, {"epoch": 3}, "did you mean 'epochs'"),
        ({"learning_rate": [0.1]}, {"trials": 0, "method": "random"}, "trials must be a whole number >= 1"),
        ({"activation": ["relu", "step"]}, {}, "activation 'step' cannot be trained"),
    ],
)
def test_wrong_settings_say_what_is_accepted(space, settings, said):
    with pytest.raises(InputError) as error:
        mo.sweep(space, "iris", **{"method": "grid"} | settings)
    assert said in str(error.value)


def test_arrays_of_a_regression_and_of_named_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    found = mo.sweep({"learning_rate": [0.01, 0.1]}, X, X @ [1.0, -2.0, 0.5], method="grid", hidden=(16,), epochs=30)
    assert found.best.about["metrics"]["test_r2"] > 0.8
    named = mo.sweep({"learning_rate": [0.01, 0.1]}, X, np.where(X[:, 0] > 0, "up", "down"), method="grid", epochs=20)
    assert named.best.classes == ("down", "up")
    assert named.best.about["metrics"]["test_accuracy"] > 0.8


def test_neutral_numbers_stay_in_the_program_where_they_vary():
    made = make({"l2": [0.0, 1e-3], "dropout": [0.0, 0.2]}, method="grid")
    assert len(made.plan.buckets) == 1
    assert len(make({"optimizer": ["adam"]}, method="grid").plan.buckets[0].rows[0]) < len(made.plan.buckets[0].rows[0])


def test_no_validation_ranks_by_training_and_keeps_the_last_weights():
    found = mo.sweep({"learning_rate": [0.01, 0.1, 1.0]}, "iris", method="grid", **BASE, validation=0.0)
    assert found.table["val_loss"].is_null().all()
    assert (found.table["best_epoch"] < found.table["epochs"]).any()
    assert found.table["train_loss"].to_list() == [found.histories[trial]["train_loss"][-1] for trial in range(3)]
    assert found.table["value"].to_list() == found.table["train_loss"].to_list()
    assert found.leaderboard.columns[3:5] == ["train_accuracy", "train_loss"]


def test_many_trials_are_planned_into_few_buckets():
    config, options = study.settings_of({"dataset": "iris", "trials": 2_000, **BASE})
    made = study.make(config, options, SPACE)
    assert [b.spec for b in made.plan.buckets] == [made.plan.buckets[0].spec] * 2
    assert sum(len(b.trials) for b in made.plan.buckets) == 2_000


def test_trials_planned_together_are_what_each_is_alone():
    """Numbers of many trials become columns at once; a row of another trial, or a number left out, would be seen here."""
    space = SPACE | {
        "l2": [0.0, 1e-3],
        "seed": [0, 7],
        "optimizer": ["momentum", "adam", "adadelta"],
        "patience": [0, 2, 3],
        "schedule": ["constant", "warmup_cosine"],
        "hidden": [[4], [8, 4]],
    }
    config, options = study.settings_of({"dataset": "iris", "trials": 40, "repeats": 2} | BASE)
    when = [{"optimizer": "momentum", "space": {"optimizer_options": {"momentum": [0.5, 0.9], "nesterov": [True, False]}}}]
    when += [{"optimizer": "adadelta", "space": {"optimizer_options": {"weight_decay": [0, 0.1]}}}]
    together = study.make(config, options, space, when)
    names = {name for trial in together.trials for name in trial}
    assert {"optimizer_options.momentum", "optimizer_options.nesterov", "optimizer_options.weight_decay", "seed"} <= names
    for number, trial in enumerate(together.trials):
        bucket = together.plan.buckets[together.plan.bucket_of[number]]
        alone = study.make(config, options, [trial])
        lanes = list(together.plan.lanes(number))
        mine, its = together.plan.hparams(bucket, lanes), alone.plan.hparams(alone.plan.buckets[0], [0, 1])
        assert bucket.spec == alone.plan.buckets[0].spec
        chex.assert_trees_all_equal(mine, its)
        assert mine.seed.tolist() == [trial["seed"], trial["seed"] + 1]


def test_a_log_whose_halves_make_a_row_together_loses_both(tmp_path):
    folder = SweepFolder(tmp_path)
    folder.append([{"task": "a", "lane": 0, "rung": 0}])
    with open(tmp_path / "trials.jsonl", "ab") as log:
        log.write(b'{"task": "a", "lane": 1\n"rung": 0}\n\n')
    with folder.writing():
        assert folder.rows() == [{"task": "a", "lane": 0, "rung": 0}]
    assert folder.damaged == [f"{tmp_path / 'trials.jsonl'}: 3 damaged or incomplete line(s) dropped"]
    assert json.loads((tmp_path / "trials.jsonl").read_text()).items() >= {"task": "a", "lane": 0, "rung": 0}.items()


def test_a_list_of_trials_is_taken_as_it_is(tmp_path):
    given = [
        {"learning_rate": 0.01},
        {"learning_rate": 0.1, "hidden": [4, 4]},
        {"optimizer": "momentum", "optimizer_options": {"momentum": 0.5}},
    ]
    found = mo.sweep(given, "iris", **BASE, tile=4, out=tmp_path / "s")
    assert found.table["learning_rate"].to_list() == [0.01, 0.1, 0.001]  # where a trial leaves a field alone the others' value
    assert found.table["hidden"].to_list() == ["8", "4-4", "8"]
    assert found.table["optimizer"].to_list() == ["adam", "adam", "momentum"]
    assert found.table["optimizer_options.momentum"].to_list() == [None, None, 0.5]
    assert mo.load_sweep(tmp_path / "s").drop("seconds").equals(found.table.drop("seconds"))
    again = study.open_study(tmp_path / "s")
    assert again.trials == make(given).trials
    with pytest.raises(InputError, match=r"trial 1 .learning_rat.*did you mean"):
        mo.sweep([{"learning_rate": 0.1}, {"learning_rat": 0.1}], "iris")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("direction", "monitor"), [("minimize", "loss"), ("maximize", "score")])
def test_optuna_asks_and_is_told_in_batches(direction, monitor):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def suggest(trial):
        rate = trial.suggest_float("learning_rate", 1e-4, 1e30 if direction == "minimize" else 1.0, log=True)
        return {"learning_rate": rate, "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"])}

    asked = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=0))
    tiles.advance_tile.clear_cache()
    table = mo.optuna_sweep(asked, suggest, "iris", trials=20, at_once=8, tile=4, monitor=monitor, **BASE)
    assert tiles.advance_tile._cache_size() == 2
    assert len(asked.trials) == len(table) == 20
    for trial, row in zip(asked.trials, table.iter_rows(named=True), strict=True):
        assert row["trial"] == trial.number
        assert row["learning_rate"] == trial.params["learning_rate"]
        if row["status"] == "diverged":
            assert trial.state.name == "FAIL"
        else:
            assert trial.value == (row["val_accuracy"] if direction == "maximize" else row["value"])
    assert ("diverged" in table["status"].to_list()) == (direction == "minimize")


def test_an_option_may_be_a_whole_number_of_any_size():
    steps = [{"schedule": "cosine", "schedule_options.decay_steps": 10**20}, {"schedule": "cosine", "schedule_options.decay_steps": 5}]
    assert len(make(steps).plan.buckets) == 1


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_field_that_no_trial_of_a_batch_has_is_what_the_settings_say():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = mo.optuna_sweep(
        optuna.create_study(), lambda t: {"learning_rate": 0.1} | ({"hidden": [4]} if t.number == 2 else {}), "iris",
        trials=3, at_once=2, tile=2, **BASE,
    )  # fmt: skip
    assert found["hidden"].to_list() == ["8", "8", "4"]


def test_all_devices_are_used_to_the_same_bits(plain):
    rates = plain.table.filter(pl.col("optimizer") == "adam")["learning_rate"].to_list()
    assert len(rates) > 4  # more than one tile
    script = f"""
import jax, json, mlp_opt as mo
seen = set()
def look(engine):
    seen.update(key[1] for key in engine.trainer.compiled if isinstance(key[0], int))
def losses(**options):
    given = [dict(learning_rate=rate) for rate in {rates!r}]
    return mo.sweep(given, "iris", **{BASE!r}, tile=4, workers=2, **options).table["val_loss"].to_list()
both = losses(on_progress=look)
devices = jax.local_devices()
jax.local_devices = lambda: devices[:1]
print(json.dumps([len(devices), len(seen), both, losses()]))
"""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    devices, used, both, one = json.loads(done.stdout.splitlines()[-1])
    assert (devices, used) == (2, 2)
    assert both == one


@pytest.mark.parametrize("places", [[], [2], [4, 0, 3]])
def test_lanes_moved_alone_off_a_device_are_those_read_in_place(monkeypatch, places):
    tree = (jnp.arange(30.0).reshape(5, 3, 2), jnp.arange(10.0).reshape(5, 2))
    in_place = tiles.picked(tree, places)
    monkeypatch.setattr(tiles, "_in_memory", lambda leaf: False)
    moved = tiles.picked(tree, places)
    chex.assert_trees_all_equal(in_place, moved, [[np.asarray(leaf)[place] for leaf in tree] for place in places])


def test_reading_a_sweep_under_way_touches_nothing_in_its_folder(tmp_path):
    path = folder_of(tmp_path / "s", make())
    run.run(make(), path)
    (path / "trials.parquet").unlink()
    (path / ".notes").write_text("mine")
    (path / ".ipynb_checkpoints").mkdir()
    log = (path / "trials.jsonl").read_bytes()
    (path / "trials.jsonl").write_bytes(log[:-5])
    before = sorted(p.name for p in path.rglob("*"))
    assert len(mo.load_sweep(path)) == 11
    replay.prepare(path, (0, 0, 0))
    assert sorted(p.name for p in path.rglob("*")) == before
    assert (path / "trials.jsonl").read_bytes() == log[:-5]
    run.run(make(), path)
    assert (path / ".notes").read_text() == "mine"


def test_two_processes_do_not_write_one_sweep(tmp_path):
    path = folder_of(tmp_path / "s", make())
    with SweepFolder(path).writing(), pytest.raises(InputError, match="another process is at work"):
        run.run(make(), path)
    assert run.run(make(), path) is not None


def test_patience_within_a_long_rung_repacks_into_the_next():
    rates = [0.14, 0.18, 0.0011, 0.001, 0.17, 0.0012, 0.0258, 0.0013]
    trials = [{"learning_rate": rate} for rate in rates]
    settings = {"tile": 2, "halving": True, "patience": 2, "eta": 2, "min_epochs": 100, "epochs": 400, "hidden": (16,)}
    found = mo.sweep(trials, "wine", **settings)
    assert found.best is not None
    assert found.table["epochs"].max() <= 400


def test_a_damaged_model_file_costs_its_tile_and_no_other(tmp_path):
    path = folder_of(tmp_path / "s", make(top=3))
    run.run(make(top=3), path)
    lines = len((path / "trials.jsonl").read_text().splitlines())
    _damage(min((path / "models").iterdir()))
    run.run(make(top=3), path)
    assert len((path / "trials.jsonl").read_text().splitlines()) - lines <= 4


def test_where_the_last_survivor_diverges_the_best_of_the_dropped_is_kept():
    steep = {"schedule": "step", "schedule_options": {"step_size": 8, "decay_rate": 1e30}, "batch_size": 0, "epochs": 16}
    network = {"optimizer": "sgd", "activation": ("identity",), "hidden": (64,), "tile": 4}
    halving = {"method": "grid", "halving": True, "eta": 2, "min_epochs": 4}
    found = mo.sweep({"learning_rate": [0.1, 0.05, 0.01, 0.001]}, "iris", **steep, **network, **halving)
    assert found.table["status"].to_list() == ["diverged", "halved", "halved", "halved"]
    assert found.best.about["trial"]["trial"] == found.leaderboard["trial"][0] == 1
    assert found.best.about["metrics"]["validation_loss"] == pytest.approx(found.leaderboard["val_loss"][0], rel=1e-5)


def test_the_refit_after_folds_has_a_schedule_for_its_own_rows():
    found = mo.sweep([{"learning_rate": 0.1}], "iris", **BASE, schedule="cosine", folds=5, test_size=0.0)
    assert found.best.about["rows"]["train"] == 150


def test_numpy_numbers_arrays_and_tuples_are_taken():
    space = {"learning_rate": np.geomspace(1e-3, 1e-1, 3), "l2": (np.float32(0.5), 0.25), "hidden": ((4,), [np.int64(5), 5])}
    made = mo.sweep(space, "iris", **BASE | {"epochs": 1}, method="grid", tile=4)
    assert len(made.table) == 12
    assert set(made.table["hidden"]) == {"4", "5-5"}


def test_only_the_seed_varies():
    found = mo.sweep({"seed": [1, 2, 3]}, "iris", **BASE, method="grid", tile=4)
    assert found.table["seed"].to_list() == [1, 2, 3]
    assert found.table["val_loss"].n_unique() == 3


def test_a_large_patience_is_patient():
    found = mo.sweep({"learning_rate": [0.1]}, "iris", **BASE, method="grid", patience=2**31 - 1)
    assert found.table["epochs"].to_list() == [6]


@pytest.mark.parametrize(
    ("space", "settings", "said"),
    [
        ({"learning_rate": {"uniform": [0, 10**400]}}, {}, "two numbers [low, high]"),
        ({"learning_rate": [10**400]}, {}, "must be a number"),
        ({"optimizer_options": {"momentum": [10**400]}}, {}, "must be a number"),
        ({"learning_rate": [1e39]}, {}, "1e+39 is too large for float32"),
        ([{"learning_rate": 0.1}], {"when": [{"optimizer": "sgd", "space": {"l2": [0.1]}}]}, "nothing for [[when]] to do"),
    ],
)
def test_numbers_out_of_reach_are_one_line(space, settings, said):
    with pytest.raises(InputError) as error:
        mo.sweep(space, "iris", **{"method": "grid"} | settings)
    assert said in str(error.value)
