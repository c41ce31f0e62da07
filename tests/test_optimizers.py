import inspect
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mlp_opt as mo
from mlp_opt import schedules
from mlp_opt.bound import Bound
from mlp_opt.diagnose import parity
from mlp_opt.diagnose.parity import RATE, gap, gradients, path, schedule, twin, variants
from mlp_opt.optimizers import OPTIMIZERS, apply_updates, as_pytree

pytestmark = pytest.mark.implicit_promotion

IN_OPTAX = [name for name in OPTIMIZERS if twin(name) is not None]
EVERY_VARIANT = [(name, i) for name in IN_OPTAX for i in range(len(variants(name)))]
PARAMS = {"a": np.linspace(-1, 1, 3, dtype=np.float32), "b": (np.ones((2, 2), np.float32), np.zeros((), np.float32))}


def params(dtype=jnp.float32):
    return jax.tree.map(lambda p: jnp.asarray(p, dtype), PARAMS)


def grads(dtype=jnp.float32):
    return jax.tree.map(lambda p: (0.3 * jnp.asarray(p) + 0.1).astype(dtype), PARAMS)


@pytest.mark.parametrize(("name", "variant"), EVERY_VARIANT)
@pytest.mark.parametrize("rate", [RATE, schedule], ids=["constant", "schedule"])
def test_equals_optax_over_1000_steps_on_badly_scaled_gradients(name, variant, rate, x64):
    arguments, g = variants(name)[variant], gradients()
    assert gap(path(OPTIMIZERS[name](rate, **arguments), g), path(twin(name)(rate, **arguments), g)) <= parity.BOUND


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_compare_passes_and_covers_every_rule(name, x64):
    row = parity.compare(name, quick=True)
    assert row["passed"]
    assert row["runs"] >= 1
    assert (row["optax"] is None) == (name in ("qhm", "qhadam"))


@pytest.mark.parametrize("name", parity.FORMULAS)
@pytest.mark.parametrize("rate", [RATE, schedule], ids=["constant", "schedule"])
def test_equals_the_literal_formula(name, rate, x64):
    g = gradients()
    for arguments, formula in parity.FORMULAS[name]:
        alpha = rate if callable(rate) else lambda t: RATE
        assert gap(path(OPTIMIZERS[name](rate, **arguments), g), formula(g, alpha)) <= parity.BOUND


def test_a_misplaced_epsilon_is_seen(x64):
    """The bound means something: epsilon 1e-3 outside the root is far from the notes' form."""
    g = gradients()
    inside, outside = mo.adam(RATE, eps=0.0, eps_root=1e-3), mo.adam(RATE, eps=1e-3)
    assert gap(path(inside, g), path(outside, g)) > 1e-2


def test_momentum_under_a_schedule_is_the_notes_and_not_optax_sgd(x64):
    g, s = gradients(), schedules.exponential(RATE, 100, 0.5)
    (arguments, formula), *_ = parity.FORMULAS["momentum"]
    notes = formula(g, lambda t: RATE * 0.5 ** (t / 100))
    assert gap(path(mo.momentum(s, **arguments), g), notes) <= parity.BOUND
    assert gap(path(optax.sgd(s, 0.9), g), notes) > 1e-2
    assert parity.schedule_gap() > 1e-2


def test_centered_rmsprop_with_bias_correction_equals_optax(x64):
    """Apart from the others: at the first step the variance of one gradient is 0 and epsilon is all that is left."""
    g, options = gradients() / 1e4, {"centered": True, "bias_correction": True, "eps": 1.0}
    assert gap(path(mo.rmsprop(RATE, **options), g), path(optax.rmsprop(RATE, **options), g)) <= parity.BOUND


# --- identities of the rules that optax does not have


IDENTITIES = {
    "qhm nu=0 is SGD": (mo.qhm(RATE, 0.9, 0.0), mo.sgd(RATE)),
    "qhm nu=1 is momentum with rate alpha (1 - beta)": (mo.qhm(RATE, 0.9, 1.0), mo.sgd(RATE * (1 - 0.9), 0.9)),
    "qhm nu=beta is Nesterov": (mo.qhm(RATE, 0.9, 0.9), mo.sgd(RATE * (1 - 0.9), 0.9, nesterov=True)),
    "qhadam nu1=nu2=1 is Adam": (mo.qhadam(RATE, 0.9, 0.999, nu1=1.0, nu2=1.0), mo.adam(RATE)),
    "qhadam nu1=0 is RMSProp": (
        mo.qhadam(RATE, 0.9, 0.99, eps=1e-3, nu1=0.0, nu2=1.0),
        mo.rmsprop(RATE, 0.99, eps=1e-3, eps_in_sqrt=False, bias_correction=True),
    ),
    "momentum 0 is SGD": (mo.momentum(RATE, 0.0), mo.sgd(RATE)),
    "momentum at a constant rate is optax's": (mo.momentum(RATE, 0.9), mo.sgd(RATE, 0.9)),
    "rmsprop at decay 0 steps by the sign": (mo.rmsprop(RATE, 0.0, eps=0.0, initial_scale=1.0), mo.lion(RATE, b1=0.0, weight_decay=0.0)),
    "adamw without decay is Adam": (mo.adamw(RATE, weight_decay=0.0), mo.adam(RATE)),
    "nadam is Adam with nesterov": (mo.nadam(RATE), mo.adam(RATE, nesterov=True)),
}


@pytest.mark.parametrize("name", [n for n in IDENTITIES if "sign" not in n])
def test_identity(name, x64):
    ours, other = IDENTITIES[name]
    g = gradients()
    assert gap(path(ours, g), path(other, g)) <= 1e-13


def test_rmsprop_without_memory_is_the_sign(x64):
    ours, other = IDENTITIES["rmsprop at decay 0 steps by the sign"]
    g = np.abs(gradients()) + 1e-6
    assert gap(path(ours, g), path(other, g)) <= 1e-13


# --- the erratum: the draft's w <- w + m[t]


def _growth(new_velocity: bool, mu: float, alpha_lambda: float) -> float:
    """The spectral radius of one step (w, m) -> (w', m') on f(w) = lambda w^2 / 2; below 1 is stable."""
    if new_velocity:  # m' = mu m - al w;  w' = w + m'
        step = [[1 - alpha_lambda, mu], [-alpha_lambda, mu]]
    else:  # w' = w + m
        step = [[1, 1], [-alpha_lambda, mu]]
    return float(np.abs(np.linalg.eigvals(step)).max())


@pytest.mark.parametrize("mu", [0.5, 0.9])
def test_the_drafts_momentum_is_stable_only_below_one_minus_mu(mu, x64):
    draft, ours = 1 - mu, 2 * (1 + mu)
    assert _growth(False, mu, 0.99 * draft) < 1 < _growth(False, mu, 1.01 * draft)
    assert _growth(True, mu, 0.99 * ours) < 1 < _growth(True, mu, 1.01 * ours)
    optimizer = mo.momentum(0.99 * ours, mu)  # and the rule that ships is the stable one

    def step(_, carry):
        w, state = carry
        updates, state = optimizer.update(w, state)
        return w + updates, state

    w, _ = jax.lax.fori_loop(0, 3000, step, (jnp.ones(()), optimizer.init(jnp.ones(()))))
    assert abs(float(w)) < 1e-3


# --- optax's contract


@pytest.mark.parametrize("name", [n for n in IN_OPTAX if n != "momentum"])
def test_arguments_and_defaults_are_optaxs(name):
    ours, theirs = (inspect.signature(f).parameters for f in (OPTIMIZERS[name], twin(name)))
    for key, parameter in theirs.items():
        assert ours[key].default == parameter.default, key
        assert ours[key].kind == parameter.kind, key
    extra = set(ours) - set(theirs)
    assert all(ours[key].kind == inspect.Parameter.KEYWORD_ONLY for key in extra)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_is_a_pair_that_optax_takes_and_unpacks(name):
    optimizer = OPTIMIZERS[name](RATE)
    assert optimizer._fields == optax.GradientTransformationExtraArgs._fields
    init, update = optimizer
    state = init(params())
    updates, _ = update(grads(), state, params(), value=1.0, anything=None)  # extra arguments are accepted
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params())
    chained = optax.chain(optax.clip_by_global_norm(1e9), optimizer)
    through_chain, _ = chained.update(grads(), chained.init(params()), params())
    chex.assert_trees_all_close(through_chain, updates, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_init_takes_shapes_only_and_an_empty_tree(name):
    optimizer = OPTIMIZERS[name](RATE)
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params())
    chex.assert_trees_all_equal(optimizer.init(shapes), optimizer.init(params()))
    updates, _ = optimizer.update({}, optimizer.init({}), {})
    assert updates == {}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.float64])
@pytest.mark.parametrize("rate_dtype", [None, jnp.float32, jnp.float64, np.float64])
def test_dtypes_are_stable(name, dtype, rate_dtype, x64):
    """State and updates keep their dtypes whatever the learning rate's; moments are at least float32."""
    rate = RATE if rate_dtype is None else np.float64(RATE) if rate_dtype is np.float64 else jnp.asarray(RATE, rate_dtype)
    optimizer = OPTIMIZERS[name](rate)
    with jax.numpy_dtype_promotion("strict"):
        state = optimizer.init(params(dtype))
        updates, new = optimizer.update(grads(dtype), state, params(dtype))
    chex.assert_trees_all_equal_shapes_and_dtypes(state, new)
    assert {u.dtype for u in jax.tree.leaves(updates)} == {jnp.dtype(dtype)}
    kinds = {s.dtype for s in jax.tree.leaves(state)} - {jnp.dtype(jnp.int32)}
    assert kinds <= {jnp.dtype(jnp.float64 if dtype == jnp.float64 else jnp.float32)}
    assert {w.dtype for w in jax.tree.leaves(apply_updates(params(dtype), updates))} == {jnp.dtype(dtype)}


def test_the_second_moment_decays_in_bfloat16():
    """0.999 is 1 in bfloat16: a moment kept there would never forget."""
    optimizer = mo.adam(RATE)
    state = optimizer.init(params(jnp.bfloat16))
    for g in (grads(jnp.bfloat16), *[jax.tree.map(jnp.zeros_like, grads(jnp.bfloat16))] * 10):
        _, state = optimizer.update(g, state)
    expected = 0.001 * float(grads(jnp.bfloat16)["a"][2].astype(jnp.float32)) ** 2 * 0.999**10
    assert float(state.v["a"][2]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_numbers_may_be_traced_and_do_not_retrace(name):
    numbers = [k for k, p in inspect.signature(OPTIMIZERS[name]).parameters.items() if isinstance(p.default, float)]
    calls = []

    @jax.jit
    def one(rate, values):
        calls.append(1)
        optimizer = OPTIMIZERS[name](rate, **values)
        updates, state = optimizer.update(grads(), optimizer.init(params()), params())
        return optimizer.update(updates, state, params())[0]

    defaults = {k: inspect.signature(OPTIMIZERS[name]).parameters[k].default for k in numbers}
    first = one(0.1, defaults)
    second = one(0.2, {k: 0.9 * v for k, v in defaults.items()})
    assert len(calls) == 1
    optimizer = OPTIMIZERS[name](0.1, **defaults)
    updates, state = optimizer.update(grads(), optimizer.init(params()), params())
    # a traced float32 beta has 1 - beta rounded: 1 - 0.999 is 9.99987e-4
    chex.assert_trees_all_close(first, optimizer.update(updates, state, params())[0], rtol=1e-4, atol=1e-6)
    assert not np.allclose(first["a"], second["a"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_pair_is_a_pytree_of_its_numbers_and_vmaps(name):
    """One compiled program for many learning rates; flags are structure, numbers are leaves."""
    rates = jnp.asarray([1e-3, 1e-2, 1e-1], jnp.float32)
    stacked = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(v, jnp.float32) for v in x]), *[OPTIMIZERS[name](float(r)) for r in rates])
    assert jax.tree.structure(OPTIMIZERS[name](0.1)) == jax.tree.structure(OPTIMIZERS[name](0.2))
    together = jax.vmap(lambda o: o.update(grads(), o.init(params()), params())[0])(stacked)
    for i, r in enumerate(rates):
        alone = OPTIMIZERS[name](float(r))
        updates, _ = alone.update(grads(), alone.init(params()), params())
        chex.assert_trees_all_close(jax.tree.map(lambda u, i=i: u[i], together), updates, rtol=1e-4, atol=1e-7)


def test_flags_make_another_structure():
    assert jax.tree.structure(mo.sgd(0.1, 0.9)) != jax.tree.structure(mo.sgd(0.1, 0.9, nesterov=True))
    assert jax.tree.structure(mo.sgd(0.1)) != jax.tree.structure(mo.sgd(0.1, 0.9))
    assert jax.tree.structure(mo.adam(schedules.cosine(0.1, 10))) != jax.tree.structure(mo.adam(0.1))


def test_the_count_saturates_instead_of_wrapping():
    optimizer = mo.adam(RATE)
    state = optimizer.init(params())._replace(t=jnp.asarray(jnp.iinfo(jnp.int32).max, jnp.int32))
    _, state = optimizer.update(grads(), state)
    assert int(state.t) == jnp.iinfo(jnp.int32).max


@pytest.mark.parametrize("make", [mo.adamw, lambda r, **k: mo.lion(r, **k), lambda r, **k: mo.adadelta(r, **k)])
def test_weight_decay_needs_parameters(make):
    optimizer = make(RATE, weight_decay=0.1)
    with pytest.raises(ValueError, match="needs the parameters"):
        optimizer.update(grads(), optimizer.init(params()))


@pytest.mark.parametrize("mask", [{"a": True, "b": False}, lambda p: {"a": True, "b": False}])
def test_masked_decay_equals_optax(mask):
    g = jax.tree.map(jnp.asarray, grads())
    for ours, theirs in ((mo.adamw, optax.adamw), (mo.lion, optax.lion)):
        a, b = ours(RATE, weight_decay=0.5, mask=mask), theirs(RATE, weight_decay=0.5, mask=mask)
        chex.assert_trees_all_close(a.update(g, a.init(params()), params())[0], b.update(g, b.init(params()), params())[0], rtol=1e-5)
    a, b = (f(RATE, weight_decay=0.5, weight_decay_mask=mask) for f in (mo.adadelta, optax.adadelta))
    chex.assert_trees_all_close(a.update(g, a.init(params()), params())[0], b.update(g, b.init(params()), params())[0], rtol=1e-5)


def test_radam_before_it_trusts_is_bias_corrected_momentum(x64):
    g, w, m = gradients(50), np.ones(12), np.zeros(12)
    for t, gradient in enumerate(g):
        m = 0.9 * m + 0.1 * gradient
        w = w - RATE * m / (1 - 0.9 ** (t + 1))
    found = path(mo.radam(RATE, threshold=1e9), g)
    assert gap(found, np.concatenate([found[:-1], [w]])) <= parity.BOUND


def test_no_weight_decay_needs_no_parameters():
    for zero in (0, 0.0):
        optimizer = mo.adadelta(RATE, weight_decay=zero)
        optimizer.update(grads(), optimizer.init(params()))


def test_works_in_multi_steps_and_with_masked_leaves():
    every = optax.MultiSteps(mo.adam(RATE), every_k_schedule=2)
    state = every.init(params())
    for _ in range(2):
        updates, state = every.update(grads(), state, params())
    assert float(jnp.abs(updates["a"]).max()) > 0
    some = optax.masked(mo.adam(RATE), {"a": True, "b": False})
    updates, _ = some.update(grads(), some.init(params()), params())
    chex.assert_trees_all_equal(updates["b"], grads()["b"])


def test_any_optax_transformation_becomes_a_pytree():
    wrapped = as_pytree(optax.adam(0.1))
    assert jax.tree.leaves(wrapped) == []
    ours = mo.adam(0.1)
    assert as_pytree(ours) == ours


def test_bound_is_a_function_and_a_pytree():
    bound = Bound(lambda x, *, scale, flag: x * scale if flag else x, scale=2.0, flag=True)
    assert bound(3.0) == 6.0
    assert jax.tree.leaves(bound) == [2.0]
    assert jax.tree.map(lambda v: v * 2, bound)(3.0) == 12.0
    assert "scale=2.0" in repr(Bound(math.pow, scale=2.0))
