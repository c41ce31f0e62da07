"""Parameters to and from flax, torch and equinox: each library's own network gives our predictions."""

import functools
import runpy
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mlp_opt as mo
from mlp_opt.activations import ACTIVATIONS

pytestmark = pytest.mark.implicit_promotion

EXAMPLES = Path(__file__).parent.parent / "scripts/examples"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
ROUNDING = {"rtol": 2e-5, "atol": 1e-5}  # three layers of float32 sums of size 10, in each library's own order: ten units in the last place
FLAX = {name: getattr(nn, name, None) for name in ACTIVATIONS} | {
    "step": lambda a: (a > 0) * 1.0,
    "identity": lambda a: a,
    "gelu": functools.partial(nn.gelu, approximate=False),
    "gelu_tanh": nn.gelu,
}
TORCH = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "softplus": "Softplus", "sigmoid": "Sigmoid", "tanh": "Tanh"}
TORCH |= {"silu": "SiLU", "gelu": "GELU", "identity": "Identity"}


def network(activation="tanh", sizes=(5, 7, 6, 3), loss="mse", dtype=jnp.float32):
    """A model with random parameters, biases too."""
    model = mo.MLP(sizes, activation, loss)
    shapes = zip(model.sizes[1:], model.sizes[:-1], strict=True)
    return model, tuple(mo.Layer(*(jnp.asarray(RNG.normal(size=s), dtype) for s in ((n, m), (n,)))) for n, m in shapes)


def same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


class Dense(nn.Module):
    sizes: tuple
    activation: str

    @nn.compact
    def __call__(self, x):
        for n in self.sizes[1:-1]:
            x = FLAX[self.activation](nn.Dense(n)(x))
        return nn.Dense(self.sizes[-1])(x)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_flax_network_predicts_the_same(activation):
    model, params = network(activation)
    theirs = Dense(model.sizes, activation).apply(mo.to_flax(model, params), X)
    np.testing.assert_allclose(theirs, mo.predict(model, params, jnp.asarray(X)), **ROUNDING)
    same(mo.from_flax(model, mo.to_flax(model, params)), params)


def test_new_flax_parameters_come_in():
    model = mo.MLP((5, 7, 3), "tanh")
    flax = Dense(model.sizes, "tanh")
    variables = flax.init(jax.random.key(0), X)
    ours = mo.predict(model, mo.from_flax(model, variables), jnp.asarray(X))
    np.testing.assert_allclose(ours, nn.softmax(flax.apply(variables, X)), **ROUNDING)


@pytest.mark.parametrize("activation", TORCH)
def test_a_torch_sequential_predicts_the_same(activation):
    torch = pytest.importorskip("torch")
    model, params = network(activation)
    layers = [torch.nn.Linear(5, 7), getattr(torch.nn, TORCH[activation])(), torch.nn.Linear(7, 6), getattr(torch.nn, TORCH[activation])()]
    theirs = torch.nn.Sequential(*layers, torch.nn.Linear(6, 3))
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in mo.to_torch_state_dict(model, params).items()})
    found = theirs(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(found, mo.predict(model, params, jnp.asarray(X)), **ROUNDING)
    same(mo.from_torch_state_dict(model, theirs.state_dict()), params)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_a_state_dict_has_torchs_names_or_those_given(dtype):
    model, params = network(dtype=dtype)
    state = mo.to_torch_state_dict(model, params)
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    assert all(type(array) is np.ndarray for array in state.values())
    back = mo.from_torch_state_dict(model, state)
    same(jax.tree.map(lambda p: p.astype(dtype), back), params)
    named = mo.to_torch_state_dict(model, params, names=("fc1", "fc2", "out"))
    assert list(named)[::2] == ["fc1.weight", "fc2.weight", "out.weight"]
    same(mo.from_torch_state_dict(model, named, names=("fc1", "fc2", "out")), back)


@pytest.mark.parametrize(
    ("sizes", "loss", "activation"),
    [((5, 6, 6, 1), "bce", "silu"), ((5, 6, 6, 3), "softmax_cross_entropy", "relu"), ((5, 2), "mse", "relu"), ((5, 4, 2), "mse", "gelu")],
)
def test_an_equinox_mlp_predicts_the_same(sizes, loss, activation):
    model, params = network(activation, sizes, loss)
    module = mo.to_equinox(model, params)
    theirs = jax.vmap(module)(X)
    theirs = jax.nn.softmax(theirs) if loss == "softmax_cross_entropy" else theirs
    np.testing.assert_allclose(theirs, mo.predict(model, params, jnp.asarray(X)), **ROUNDING)
    same(mo.from_equinox(model, module), params)


MODEL, PARAMS = network()
STATE = mo.to_torch_state_dict(MODEL, PARAMS)
FLAX_DENSE = mo.to_flax(MODEL, PARAMS)["params"]
BAD = {
    "a missing weight": (
        lambda: mo.from_torch_state_dict(MODEL, {k: v for k, v in STATE.items() if k != "2.bias"}),
        "should hold 0.weight, ",
    ),
    "one too many": (lambda: mo.from_torch_state_dict(MODEL, STATE | {"6.weight": X}), "found .*6.weight"),
    "another shape": (lambda: mo.from_torch_state_dict(MODEL, STATE | {"2.weight": X}), r"2.weight should be numbers of shape \(6, 7\)"),
    "whole numbers": (lambda: mo.from_torch_state_dict(MODEL, STATE | {"2.bias": np.arange(6)}), r"found int\d+ of shape \(6,\)"),
    "no array": (lambda: mo.from_torch_state_dict(MODEL, STATE | {"2.bias": object()}), "2.bias cannot be read as an array"),
    "too few names": (lambda: mo.to_torch_state_dict(MODEL, PARAMS, names=("a",)), "1 names do not fit the 3 layers"),
    "no flax": (lambda: mo.from_flax(MODEL, {}), "found nothing"),
    "not transposed": (
        lambda: mo.from_flax(MODEL, FLAX_DENSE | {"Dense_1": {"kernel": STATE["2.weight"], "bias": STATE["2.bias"]}}),
        r"Dense_1/kernel should be numbers of shape \(7, 6\)",
    ),
    "no bias": (lambda: mo.from_flax(MODEL, FLAX_DENSE | {"Dense_1": {"kernel": STATE["2.weight"].T}}), "Dense_1/bias"),
    "another depth": (lambda: mo.from_equinox(mo.MLP((5, 3)), mo.to_equinox(*network(sizes=(5, 6, 3)))), "2 layers of the equinox network"),
    "two widths": (lambda: mo.to_equinox(MODEL, PARAMS), "has one width"),
    "a skip": (lambda: mo.to_equinox(mo.MLP((5, 5, 3), residual=True), network(sizes=(5, 5, 3))[1]), "no residual"),
    "other parameters": (lambda: mo.to_flax(mo.MLP((5, 3)), PARAMS), r"do not fit sizes \(5, 3\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_in_one_line(name):
    act, message = BAD[name]
    with pytest.raises(mo.InputError, match=message) as caught:
        act()
    assert "\n" not in str(caught.value)


def run(name, capsys):
    """The example's own main function: what it returns and what it printed."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](), capsys.readouterr().out


def test_the_chain_example_is_the_same_with_our_adam_and_with_optaxs(capsys):
    losses, out = run("optax_chain", capsys)
    ours, theirs, fitted, fitted_theirs = losses.values()
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    np.testing.assert_allclose(fitted, fitted_theirs, rtol=1e-3)
    assert ours[-1] < 0.2 < ours[0]
    assert out.count("->") == 4


@pytest.mark.parametrize("name", ["flax_loop", "equinox_weights"])
def test_a_loop_of_another_library_learns_with_our_optimizer(name, capsys):
    (losses, gap), out = run(name, capsys)
    assert losses[-1] < 0.2 < losses[0]
    assert gap < 1e-6
    assert "they differ" not in out


def test_the_torch_example_has_the_same_predictions(capsys):
    pytest.importorskip("torch")
    gap, out = run("torch_weights", capsys)
    assert gap < 1e-5
    assert "the same bits" in out
