import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mlp_opt import schedules
from mlp_opt.schedules import SCHEDULES

pytestmark = pytest.mark.implicit_promotion

COUNTS = np.arange(130)
CASES = {
    "constant": (dict(value=0.3), lambda: optax.constant_schedule(0.3)),
    "step": (dict(init_value=0.3, step_size=20, decay_rate=0.5), lambda: optax.exponential_decay(0.3, 20, 0.5, staircase=True)),
    "exponential": (
        dict(init_value=0.3, transition_steps=20, decay_rate=0.5, end_value=0.02),
        lambda: optax.exponential_decay(0.3, 20, 0.5, end_value=0.02),
    ),
    "cosine": (
        dict(init_value=0.3, decay_steps=100, alpha=0.1, exponent=1.5),
        lambda: optax.cosine_decay_schedule(0.3, 100, 0.1, 1.5),
    ),
    "warmup_cosine": (
        dict(init_value=0.01, peak_value=0.3, warmup_steps=10, decay_steps=100, end_value=0.02, exponent=2.0),
        lambda: optax.warmup_cosine_decay_schedule(0.01, 0.3, 10, 100, 0.02, 2.0),
    ),
    "one_cycle": (
        dict(transition_steps=100, peak_value=0.3, pct_start=0.25, div_factor=20.0, final_div_factor=1e3),
        lambda: optax.cosine_onecycle_schedule(100, 0.3, 0.25, 20.0, 1e3),
    ),
}


def test_every_schedule_is_compared():
    assert set(CASES) == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_equals_optax(name, x64):
    arguments, theirs = CASES[name]
    ours = [float(SCHEDULES[name](**arguments)(jnp.asarray(t, jnp.int32))) for t in COUNTS]
    np.testing.assert_allclose(ours, [float(theirs()(jnp.asarray(t, jnp.float64))) for t in COUNTS], rtol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_number_may_be_traced_and_vmapped(name):
    arguments = {k: float(v) for k, v in CASES[name][0].items()}
    calls = []

    @jax.jit
    def value(arguments, t):
        calls.append(1)
        return SCHEDULES[name](**arguments)(t)

    with jax.numpy_dtype_promotion("strict"):
        first = value(arguments, jnp.asarray(7))
        value({k: 1.1 * v for k, v in arguments.items()}, jnp.asarray(9))
    assert len(calls) == 1
    assert first.dtype == jnp.float32
    np.testing.assert_allclose(first, SCHEDULES[name](**arguments)(7), rtol=1e-6)
    stacked = {k: jnp.asarray([v, 1.1 * v], jnp.float32) for k, v in arguments.items()}
    both = jax.vmap(lambda a: SCHEDULES[name](**a)(jnp.asarray(7)))(stacked)
    np.testing.assert_allclose(both[0], first, rtol=1e-6)


def test_a_warmup_of_nothing_starts_at_the_peak():
    s = schedules.warmup_cosine(0.0, 0.5, 0, 100)
    assert float(s(0)) == 0.5
    assert float(s(100)) == pytest.approx(0, abs=1e-8)
