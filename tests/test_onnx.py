"""ONNX models, run by onnxruntime: the same predictions as ours."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from onnx import helper, numpy_helper

import mlp_opt as mo
from mlp_opt import cli, experiment
from mlp_opt.activations import ACTIVATIONS
from mlp_opt.data import dataset, encode, sources
from mlp_opt.export.onnx_model import input_name
from mlp_opt.model import predict
from mlp_opt.store.model_files import TrainedModel

pytestmark = pytest.mark.implicit_promotion

RNG = np.random.default_rng(0)
X = (3 * RNG.normal(size=(50, 5))).astype(np.float32)


def network(activation="tanh", loss="mse", sizes=(5, 6, 6, 3), dtype=jnp.float32, residual=False):
    model = mo.MLP(sizes, activation, loss, residual=residual)
    ends = zip(model.sizes[1:], model.sizes[:-1], strict=True)
    return model, tuple(mo.Layer(*(jnp.asarray(RNG.normal(size=s) / 2, dtype) for s in ((n, m), (n,)))) for n, m in ends)


def run(content, **inputs):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (out,) = session.run(None, inputs)
    return out


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_predicts_the_same(activation):
    model, params = network(activation, residual=True)
    assert any(model.skips)
    out = run(mo.to_onnx(model, params), X=X)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, predict(model, params, jnp.asarray(X)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("output", ACTIVATIONS)
def test_every_activation_is_right_far_out(output):
    """The output activation of mse, at inputs where exponentials overflow."""
    model = mo.MLP((1, 1), (output,), "mse")
    params = (mo.Layer(jnp.ones((1, 1)), jnp.zeros(1)),)
    far = np.array([[-1e4], [-100], [-20], [-1], [0], [1], [20], [100], [1e4]], np.float32)
    np.testing.assert_allclose(run(mo.to_onnx(model, params), X=far), predict(model, params, jnp.asarray(far)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("loss", "n_out"), [("bce", 1), ("bce", 3), ("softmax_cross_entropy", 3)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_outputs_are_probabilities(loss, n_out, dtype):
    model, params = network("relu", loss, (5, 8, n_out), dtype)
    wide = tuple(mo.Layer(*(p.astype(jnp.float32) for p in layer)) for layer in params)
    out = run(mo.to_onnx(model, params), X=X[:1]), run(mo.to_onnx(model, params), X=X)
    for found, rows in zip(out, (X[:1], X), strict=True):
        np.testing.assert_allclose(found, predict(model, wide, jnp.asarray(rows)), atol=1e-5)


def test_an_encoder_goes_before_and_the_units_of_the_data_after():
    model, params = network()
    shift, scale = RNG.normal(size=5).astype(np.float32), RNG.uniform(1, 2, 5).astype(np.float32)
    constants = [numpy_helper.from_array(v, n) for n, v in (("shift", shift), ("scale", scale), ("ten", np.float32(10)))]
    before = [helper.make_node("Sub", ["raw", "shift"], ["centred"]), helper.make_node("Div", ["centred", "scale"], ["X"])]
    after = [helper.make_node("Mul", ["y_hat", "ten"], ["prediction"])]
    inputs = [helper.make_tensor_value_info("raw", onnx.TensorProto.FLOAT, ["rows", 5])]
    outputs = [helper.make_tensor_value_info("prediction", onnx.TensorProto.FLOAT, ["rows", 3])]
    content = mo.to_onnx(model, params, inputs=inputs, before=before, after=after, outputs=outputs, constants=constants)
    expected = 10 * predict(model, params, jnp.asarray((X - shift) / scale))
    np.testing.assert_allclose(run(content, raw=X), expected, rtol=1e-5, atol=1e-5)


def test_the_file_is_of_a_version_that_old_runtimes_read():
    made = onnx.load_from_string(mo.to_onnx(*network("gelu")))
    assert [(o.domain, o.version) for o in made.opset_import] == [("", 13)]
    assert made.ir_version == 7
    assert {n.op_type for n in made.graph.node} <= {"Gemm", "Mul", "Add", "Erf", "Identity"}


def test_parameters_that_do_not_fit_are_refused():
    with pytest.raises(mo.InputError, match=r"do not fit sizes \(5, 3\)"):
        mo.to_onnx(mo.MLP((5, 3)), network()[1])


# --- trained models, their encoder included ---


def table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "size": pl.Series(np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(0, 2, n))).fill_nan(None),
            "count": rng.integers(0, 50, n),
            "colour": rng.choice(["red", "green", "blue", "once", None], n, p=[0.5, 0.3, 0.17, 0.01, 0.02]),
            "flag": rng.random(n) < 0.3,
            "price": rng.normal(size=n),
            "kind": rng.choice(["a", "b", "c"], n),
            "half": rng.choice(["no", "yes"], n),
        }
    )


def fed(trained, rows):
    """A table as the inputs of the exported model."""
    typed = trained.encoder.typed(rows)
    kinds = dict(zip(trained.encoder.features, trained.encoder.kinds, strict=True))
    return {
        name: (typed[name].to_numpy() if kind == "number" else typed[name].fill_null("").to_numpy().astype(object))[:, None]
        for name, kind in kinds.items()
    }


@pytest.mark.parametrize("target", [["price"], ["kind"], ["half"], ["price", "count"], ["flag", "up"]])
def test_a_trained_model_takes_rows_as_they_come(target):
    rows = table().with_columns(up=pl.col("price") > 0)
    data = dataset.of_table("t", rows, target, kinds={"up": "category"} if "up" not in target else {})
    encoder = dataclasses.replace(encode.fit(data, data.X, data.y, "auto"), pad=2)
    network = mo.MLP((encoder.width, 8, data.outputs), "silu", experiment.LOSS_OF_TASK[data.task])
    params = mo.init(network, jax.random.key(0))
    trained = TrainedModel(network, params, encoder, data.task, data.classes, data.targets, {})
    new = table(200, seed=1).with_columns(up=pl.col("price") > 0, colour=pl.col("colour").replace("green", "never seen"))
    session = onnxruntime.InferenceSession(mo.trained_to_onnx(trained), providers=["CPUExecutionProvider"])
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, fed(trained, new)), strict=True))
    ours, y_hat = trained.table(new), trained.predict(new)
    if data.task == "regression":
        np.testing.assert_allclose(found["prediction"], y_hat, rtol=1e-5, atol=1e-5)
    elif data.task == "multilabel":
        np.testing.assert_allclose(found["probabilities"], y_hat, atol=1e-5)
        np.testing.assert_array_equal(found["prediction"], ours.select("prediction_flag", "prediction_up").to_numpy())
    else:
        np.testing.assert_allclose(found["probabilities"], ours.drop("prediction").to_numpy(), atol=1e-5)
        sure = np.abs(np.diff(np.sort(found["probabilities"], axis=1)[:, -2:])[:, 0]) > 1e-5
        np.testing.assert_array_equal(found["prediction"][sure], ours["prediction"].to_numpy().astype(object)[sure])


@pytest.mark.parametrize("name", ["wine", "diabetes", "breast_cancer"])
def test_a_model_of_real_data_through_the_command(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", name, "--epochs", "2", "--hidden", "8", "--out", "run"]) == 0
    assert cli.main(["export", "run", "--out", "model.onnx"]) == 0
    trained, rows = mo.load("run"), sources.load(name).X
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {"rows": rows})
    ours = trained.predict(rows)
    theirs = found[0] if name == "diabetes" else found[1] if name == "wine" else found[1][:, 1:]
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)
    assert cli.main(["export", "run", "--out", "bare.onnx", "--bare"]) == 0
    bare = onnxruntime.InferenceSession("bare.onnx", providers=["CPUExecutionProvider"])
    (y_hat,) = bare.run(None, {"X": trained.encoder.X(rows, np.float32)})
    np.testing.assert_allclose(trained.encoder.values(y_hat) if name == "diabetes" else y_hat, ours, rtol=1e-5, atol=1e-5)
    assert cli.main(["export", "run", "--out", "model.onnx"]) == 2
    assert cli.main(["export", "run", "--out", "model.h5"]) == 2
    err = capsys.readouterr().err
    assert "model.onnx: already exists" in err
    assert "give a file .onnx" in err


def test_what_onnx_cannot_express_is_refused():
    rows = table(60).with_columns(report=pl.lit("some words that are free ") + pl.int_range(60).cast(pl.String))
    data = dataset.of_table("t", rows, "price")
    encoder = encode.fit(data, data.X, data.y, "auto")
    network = mo.MLP((encoder.width, 1), (), "mse")
    trained = TrainedModel(network, mo.init(network, jax.random.key(0)), encoder, data.task, (), data.targets, {})
    with pytest.raises(mo.InputError, match="how column 'report' is encoded"):
        mo.trained_to_onnx(trained)


def test_columns_that_are_called_as_parts_of_the_graph():
    rows = table(80).rename({"size": "X", "colour": "prediction", "flag": "constant_0"})
    data = dataset.of_table("t", rows, "half")
    encoder = encode.fit(data, data.X, data.y, "auto")
    network = mo.MLP((encoder.width, 1), (), "bce")
    trained = TrainedModel(network, mo.init(network, jax.random.key(0)), encoder, data.task, data.classes, data.targets, {})
    session = onnxruntime.InferenceSession(mo.trained_to_onnx(trained), providers=["CPUExecutionProvider"])
    inputs = {input_name(name): values for name, values in fed(trained, rows).items()}
    np.testing.assert_allclose(session.run(["probabilities"], inputs)[0][:, 1:], trained.predict(rows), atol=1e-5)
