import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlp_opt import compiled
from mlp_opt.compiled import CPU_OPTIONS, jit, on_cpu


def test_it_compiles_once_for_each_static_argument():
    traces = []

    @jit
    def twice(x):
        traces.append(1)
        return 2 * x

    assert [float(twice(jnp.float32(x))) for x in (1, 2, 3)] == [2, 4, 6]
    assert len(traces) == 1
    power = jit(lambda x, n: x**n, static_argnums=1)
    assert [float(power(jnp.float32(2), n)) for n in (2, 3)] == [4, 8]
    assert power._cache_size() == 2


def test_programs_for_a_cpu_are_compiled_with_the_options(monkeypatch):
    monkeypatch.setattr(compiled, "CPU_OPTIONS", {"xla_no_such_option": 1})
    f = jit(lambda x: x + 1)
    with jax.default_device(jax.devices("cpu")[0]), pytest.raises(Exception, match="xla_no_such_option"):
        f(jnp.float32(1))


AROUND = {
    "jit": jax.jit,
    "grad": jax.grad,
    "vmap": lambda f: lambda x: jax.vmap(f)(x[None])[0],
    "map": lambda f: lambda x: jax.lax.map(f, x[None])[0],
}


@pytest.mark.parametrize("around", AROUND)
def test_it_may_be_part_of_another_program(around):
    """Of what is traced or of constants."""
    square, three = jit(lambda x: x**2), np.float32(3)
    expected = (6, 9) if around == "grad" else (9, 27)
    assert float(AROUND[around](square)(jnp.float32(3))) == expected[0]
    assert float(AROUND[around](lambda x: x * square(three))(jnp.float32(3))) == expected[1]


def test_its_shapes_may_be_asked_for_without_an_array():
    zeros = jit(lambda n: jnp.zeros(n), static_argnums=0)
    assert jax.eval_shape(lambda: zeros(3)).shape == (3,)


def test_a_copy_is_as_good():
    f = copy.deepcopy(jit(lambda x: x + 1))
    assert float(f(jnp.float32(1))) == 2
    assert not hasattr(f, "__array__")


def test_the_options_are_known_to_xla():
    jax.jit(lambda x: x + 1).lower(1.0).compile(compiler_options=CPU_OPTIONS)


def test_on_cpu_knows_the_device_that_was_asked_for():
    cpu = jax.devices("cpu")[0]
    for asked in (cpu, "cpu"):
        with jax.default_device(asked):
            assert on_cpu()
    assert on_cpu() == (jax.devices()[0].platform == "cpu")
