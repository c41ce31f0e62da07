"""ONNX models, run by onnxruntime: the same predictions as ours."""

import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import mlp_opt as mo
from mlp_opt.activations import ACTIVATIONS
from mlp_opt.model import predict

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
