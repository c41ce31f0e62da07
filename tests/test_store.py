import hashlib
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt.data.encode import Encoder, Numbers
from mlp_opt.store import files, model_files, run_folder
from mlp_opt.store.model_files import TrainedModel


def trained(dtype=jnp.float32, **model):
    shape = mo.MLP(**({"sizes": (3, 4, 2), "activation": ("tanh",)} | model))
    rng, ends = np.random.default_rng(0), zip(shape.sizes[1:], shape.sizes[:-1], strict=True)
    params = tuple(mo.Layer(jnp.asarray(rng.normal(size=(n, m)), dtype), jnp.asarray(rng.normal(size=n), dtype)) for n, m in ends)
    numbers = Numbers(np.array([1.0, 2, 3]), np.array([2.0, 2, 2]), np.zeros(3), (), np.inf)
    encoder = Encoder(("x", "y", "z"), ("number",) * 3, numbers, (), (), (), np.zeros(()), np.ones(()))
    return TrainedModel(shape, params, encoder, "multiclass", ("a", "b"), ("kind",), {"metrics": {"test_accuracy": 0.5}})


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
    with pytest.raises(mo.InputError, match=r"give numbers, \(rows, 3\)"):
        model.predict(np.ones((5, 4)))


def _edit(path, change):
    """Change the description and sign it again: what stands behind the checksum must hold, too."""
    description = json.loads(path.read_text())
    description.pop("sha256")
    change(description)
    path.write_text(json.dumps(description | {"sha256": model_files._digest(description)}))


def _resign(folder, weights):
    (folder / "model.safetensors").write_bytes(weights)
    _edit(folder / "model.json", lambda j: j.update(weights_sha256=hashlib.sha256(weights).hexdigest()))


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _json(change):
    return lambda d: _edit(d / "model.json", change)


DAMAGE = {
    "a flipped bit of the weights": (lambda d: _flip(d / "model.safetensors"), "model.safetensors does not match its checksum"),
    "a flipped bit of the description": (lambda d: _flip(d / "model.json"), "does not match its checksum|is not a model description"),
    "an edited description": (
        lambda d: (d / "model.json").write_text((d / "model.json").read_text().replace("tanh", "relu")),
        "does not match its checksum",
    ),
    "truncated weights": (lambda d: _resign(d, (d / "model.safetensors").read_bytes()[:-9]), "is damaged"),
    "an absurd header length": (lambda d: _resign(d, b"\xff" * 16), "is damaged"),
    "no weights in the file": (lambda d: _resign(d, b""), "is damaged"),
    "no weights file": (lambda d: (d / "model.safetensors").unlink(), "cannot read"),
    "a folder for the weights": (lambda d: ((d / "model.safetensors").unlink(), (d / "model.safetensors").mkdir()), "cannot read"),
    "no description": (lambda d: (d / "model.json").unlink(), "holds no model"),
    "not JSON": (lambda d: (d / "model.json").write_text("{"), "is not a model description"),
    "a list": (lambda d: (d / "model.json").write_text("[]"), "is not a model description"),
    "deeply nested": (lambda d: (d / "model.json").write_text("[" * 100_000), "is not a model description"),
    "bytes": (lambda d: (d / "model.json").write_bytes(b"\xff\xfe\x00"), "is not a model description"),
    "other sizes": (_json(lambda j: j["model"].update(sizes=[3, 5, 2])), r"layer1.W should have shape \(5, 3\)"),
    "more inputs": (_json(lambda j: j["model"].update(sizes=[4, 4, 2])), "3 inputs do not fit the sizes"),
    "absurd sizes": (_json(lambda j: j["model"].update(sizes=[3, 10**12, 2])), "a layer may have"),
    "more layers": (_json(lambda j: j["model"].update(sizes=[3, 4, 2, 2], activation="relu")), "found nothing"),
    "fewer classes": (_json(lambda j: j.update(classes=["a"])), "1 outputs do not fit the sizes"),
    "newer format": (_json(lambda j: j.update(format=3)), "this version reads format 2"),
    "unknown activation": (_json(lambda j: j["model"].update(activation=["tnah"])), "did you mean 'tanh'"),
    "no dtype": (_json(lambda j: j.pop("dtype")), "is not a model description: KeyError"),
    "odd dtype": (_json(lambda j: j.update(dtype="foo")), "is not a model description: TypeError"),
    "odd scaling": (_json(lambda j: j["encoder"]["numbers"].update(shift=[1, 2])), "scaling does not fit"),
    "a scale of 0": (_json(lambda j: j["encoder"]["numbers"].update(scale=[1, 0, 1])), "scaling does not fit"),
    "a scale that is none": (_json(lambda j: j["encoder"]["numbers"].update(scale=[1, float("nan"), 1])), "finite numbers"),
    "odd kinds": (_json(lambda j: j["encoder"].update(kinds=["number", "number", "category"])), "does not fit the columns"),
    "missing key": (_json(lambda j: j.pop("encoder")), "is not a model description: KeyError"),
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
    for left in (".probe", ".config.toml.abcd1234", "..probe.abcd1234"):  # of a process that was killed
        (tmp_path / "a" / left).write_text("")
    (folder / "x").unlink()
    folder.rmdir()
    assert files.new_folder(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "run-1").mkdir()
    assert [files.next_folder(tmp_path, "run") for _ in range(2)] == [tmp_path / "run-2", tmp_path / "run-3"]  # each made
    (tmp_path / "file").write_text("")
    with pytest.raises(mo.InputError, match=r"cannot write to the output folder .*file is a file"):
        files.next_folder(tmp_path / "file", "run")


def test_a_checkpoint_comes_back_to_the_bit_and_must_fit(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    model = mo.MLP((3, 4, 2))
    run = mo.fit(model, mo.adam(0.01), X, y, epochs=3, batch_size=4)
    run_folder.save_checkpoint(tmp_path, run.state, run.history, "data")
    state, history = run_folder.load_checkpoint(tmp_path, jax.tree.map(jnp.zeros_like, run.state), "data")
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(run.state), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in run.history:
        np.testing.assert_array_equal(history[name], run.history[name])
    other = mo.fit(mo.MLP((3, 5, 2)), mo.adam(0.01), X, y, epochs=1, batch_size=4)
    with pytest.raises(mo.InputError, match="does not fit"):
        run_folder.load_checkpoint(tmp_path, other.state, "data")
    with pytest.raises(mo.InputError, match="the data are not those"):
        run_folder.load_checkpoint(tmp_path, run.state, "other data")
    (tmp_path / "checkpoint.safetensors").write_bytes(b"12345678")
    with pytest.raises(mo.InputError, match="is damaged"):
        run_folder.load_checkpoint(tmp_path, run.state, "data")
    (tmp_path / "checkpoint.safetensors").unlink()
    assert not run_folder.resumable(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(mo.InputError, match="it is finished"):
        run_folder.resumable(tmp_path)
