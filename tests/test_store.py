import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt.data.split import Scaler
from mlp_opt.store import files, model_files, run_folder
from mlp_opt.store.model_files import TrainedModel


def trained(dtype=jnp.float32, **model):
    shape = mo.MLP(**({"sizes": (3, 4, 2), "activation": ("tanh",)} | model))
    params = mo.init(shape, jax.random.key(0), dtype=dtype)
    scaler = Scaler(np.array([1.0, 2, 3]), np.array([2.0, 2, 2]), np.zeros(()), np.ones(()))
    return TrainedModel(shape, params, scaler, "multiclass", ("a", "b"), ("x", "y", "z"), {"metrics": {"test_accuracy": 0.5}})


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float64])
def test_a_saved_model_loads_to_the_bit(dtype, tmp_path, x64):
    model = trained(dtype)
    model_files.save(tmp_path, model)
    loaded = mo.load(tmp_path)
    assert loaded.model == model.model
    assert (loaded.task, loaded.classes, loaded.features, loaded.about) == (model.task, model.classes, model.features, model.about)
    for a, b in zip(jax.tree.leaves(model.params), jax.tree.leaves(loaded.params), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(np.asarray(a, np.float64), np.asarray(b, np.float64))
    X = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


def test_predict_scales_rows_as_they_come():
    model = trained()
    X = np.random.default_rng(0).normal(size=(5, 3))
    direct = mo.predict(model.model, model.params, jnp.asarray((X - [1, 2, 3]) / 2, jnp.float32))
    np.testing.assert_allclose(model.predict(X), direct, rtol=1e-6)
    with pytest.raises(mo.InputError, match=r"give \(rows, 3\)"):
        model.predict(np.ones((5, 4)))


def _edit(path, change):
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


DAMAGE = {
    "truncated arrays": (lambda d: (d / "model.safetensors").write_bytes((d / "model.safetensors").read_bytes()[:-9]), "is damaged"),
    "absurd header": (lambda d: (d / "model.safetensors").write_bytes(b"\xff" * 16), "is damaged"),
    "empty arrays": (lambda d: (d / "model.safetensors").write_bytes(b""), "is damaged"),
    "no arrays": (lambda d: (d / "model.safetensors").unlink(), "cannot read"),
    "no description": (lambda d: (d / "model.json").unlink(), "cannot read"),
    "not JSON": (lambda d: (d / "model.json").write_text("{"), "is not a model description"),
    "a list": (lambda d: (d / "model.json").write_text("[]"), "is not a model description"),
    "other sizes": (
        lambda d: _edit(d / "model.json", lambda j: j["model"].update(sizes=[3, 5, 2])),
        r"layer1.W should have shape \(5, 3\)",
    ),
    "more layers": (lambda d: _edit(d / "model.json", lambda j: j["model"].update(sizes=[3, 4, 2, 2], activation="relu")), "found nothing"),
    "newer format": (lambda d: _edit(d / "model.json", lambda j: j.update(format=2)), "this version reads format 1"),
    "unknown activation": (lambda d: _edit(d / "model.json", lambda j: j["model"].update(activation=["tnah"])), "did you mean 'tanh'"),
    "no dtype": (lambda d: _edit(d / "model.json", lambda j: j.pop("dtype")), "is not a model description: KeyError"),
    "odd dtype": (lambda d: _edit(d / "model.json", lambda j: j.update(dtype="foo")), "is not a model description: TypeError"),
    "odd scaling": (lambda d: _edit(d / "model.json", lambda j: j["scaling"].update(x_shift=[1, 2])), "scaling does not fit"),
    "missing key": (lambda d: _edit(d / "model.json", lambda j: j.pop("scaling")), "is not a model description: KeyError"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_model_is_refused_in_one_line(name, tmp_path):
    damage, message = DAMAGE[name]
    model_files.save(tmp_path, trained())
    damage(tmp_path)
    with pytest.raises(mo.InputError, match=message) as caught:
        mo.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_new_folders(tmp_path):
    folder = files.new_folder(tmp_path / "a" / "b")
    assert list(folder.iterdir()) == []
    assert files.new_folder(folder) == folder
    (folder / "x").write_text("")
    with pytest.raises(mo.InputError, match="already holds files"):
        files.new_folder(folder)
    with pytest.raises(mo.InputError, match="cannot write to the output folder"):
        files.new_folder(folder / "x" / "y")
    (tmp_path / "run-1").mkdir()
    assert files.next_folder(tmp_path, "run") == tmp_path / "run-2"


def test_a_checkpoint_comes_back_to_the_bit_and_must_fit(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    model = mo.MLP((3, 4, 2))
    run = mo.fit(model, mo.adam(0.01), X, y, epochs=3, batch_size=4)
    run_folder.save_checkpoint(tmp_path, run.state, run.history)
    state, history = run_folder.load_checkpoint(tmp_path, jax.tree.map(jnp.zeros_like, run.state))
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(run.state), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in run.history:
        np.testing.assert_array_equal(history[name], run.history[name])
    other = mo.fit(mo.MLP((3, 5, 2)), mo.adam(0.01), X, y, epochs=1, batch_size=4)
    with pytest.raises(mo.InputError, match="does not fit"):
        run_folder.load_checkpoint(tmp_path, other.state)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"12345678")
    with pytest.raises(mo.InputError, match="is damaged"):
        run_folder.load_checkpoint(tmp_path, run.state)
    (tmp_path / "checkpoint.safetensors").unlink()
    assert not run_folder.resumable(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(mo.InputError, match="it is finished"):
        run_folder.resumable(tmp_path)
