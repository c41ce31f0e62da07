"""The whitelist parser: what it accepts it computes as NumPy does, everything else is one line that says where."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlp_opt.errors import InputError
from mlp_opt.expressions import CONSTANTS, DEPTH, FUNCTIONS, LENGTH, latex, parse, parse_tree

NUMPY = {"sin": np.sin, "cos": np.cos, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs, "tanh": np.tanh}
NUMPY |= {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power, "negative": np.negative}
LEAVES = st.one_of(
    st.sampled_from([("x",), ("y",), ("pi",), ("e",)]),
    st.floats(0, 9, allow_nan=False, width=16).map(lambda v: ("number", v)),
)
TREES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/"]), parts, parts),
        st.tuples(st.sampled_from(["negative", *FUNCTIONS]), parts),
        st.tuples(st.just("**"), parts, st.integers(0, 4).map(lambda n: ("number", float(n)))),
    ),
    max_leaves=12,
)


def written(tree):
    """The tree as the text that a user would write, with all its parentheses."""
    kind, *parts = tree
    if kind == "number":
        return repr(parts[0])
    if not parts:
        return kind
    if kind == "negative":
        return f"(-{written(parts[0])})"
    if kind in FUNCTIONS:
        return f"{kind}({written(parts[0])})"
    return f"({written(parts[0])} {kind} {written(parts[1])})"


def by_numpy(tree, x, y):
    kind, *parts = tree
    if kind in ("x", "y"):
        return x if kind == "x" else y
    if kind in CONSTANTS:
        return np.float64(CONSTANTS[kind])
    return np.float64(parts[0]) if kind == "number" else NUMPY[kind](*(by_numpy(part, x, y) for part in parts))


@settings(max_examples=40, deadline=None)
@given(TREES)
def test_what_is_written_is_read_and_computed(tree):
    text = written(tree)
    if len(text) > LENGTH:
        return
    assert parse_tree(text) == tree
    assert latex(tree).count("{") == latex(tree).count("}")
    x, y = np.array([0.5, -1.25, 2.0]), np.array([1.5, 0.25, -0.75])
    with jax.enable_x64(True), np.errstate(all="ignore"):
        found = np.asarray(parse(text)(jnp.asarray(x), jnp.asarray(y)))
        expected = np.broadcast_to(by_numpy(tree, x, y), x.shape)
    good = np.isfinite(expected) & (np.abs(expected) < 1e6)  # cancellation of huge numbers is no matter of parsing
    np.testing.assert_allclose(found[good], expected[good], rtol=1e-6, atol=1e-6)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("xy0123456789.+-*/() ,_eEsincoglabtph", max_size=60)))
def test_any_text_is_a_function_or_one_line(text):
    message = ""
    try:
        parse_tree(text)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert not message or ("accepted: x, y" in message and "column" in message)


HOSTILE = [
    ("__import__('os').system('true')", "column 12", "unexpected"),
    ("x.__class__", "column 1", "not accepted"),
    ("x[0]", "column 2", "unexpected '['"),
    ("lambda x: x", "column 9", "unexpected ':'"),
    ("eval(x)", "column 1", "unknown function 'eval'"),
    ("(x for x in y)", "column 1", "not accepted"),
    ("x if y else 1", "column 1", "not accepted"),
    ("x and y", "column 1", "not accepted"),
    ("sin(*x)", "column 1", "one argument"),
    ("sin(x, y)", "column 1", "one argument"),
    ("sin(x)(y)", "column 1", "called by its name"),
    ("(sin)(x)**", "column", "accepted"),
    ("x = 1", "column 3", "unexpected '='"),
    ("x; y", "column 2", "unexpected ';'"),
    ("x\n+ y", "column 2", "unexpected '\\n'"),
    ("x\x00", "column 2", "unexpected"),
    ("ｘ", "column 1", "unexpected"),
    ("x^2", "column 2", "write ** for a power"),
    ("2x", "column 1", "invalid decimal literal"),
    ("1j * x", "column 1", "not accepted"),
    ("True", "column 1", "not accepted"),
    ("x // 2", "column 1", "not accepted"),
    ("z + x", "column 1", "unknown name 'z'"),
    ("x + sin", "column 5", "needs its argument in parentheses"),
    ("sun(x)", "column 1", "did you mean 'sin'?"),
    ("1e999 * x", "column 1", "too large"),
    ("9" * 400, "column 1", "too large"),
    ("", "column 1", "the end"),
    ("(" * 300, "column", "accepted"),
    ("-" * 499 + "x", "column", f"more than {DEPTH} levels"),
]


@pytest.mark.parametrize(("text", "where", "why"), HOSTILE, ids=[h[0][:20] for h in HOSTILE])
def test_hostile_texts_are_refused_with_the_place(text, where, why):
    with pytest.raises(InputError) as caught:
        parse(text)
    message = str(caught.value)
    assert where in message
    assert why in message
    assert "\n" not in message


def test_length_is_bounded_before_anything_is_read():
    parse("+".join("x" * 99))
    with pytest.raises(InputError, match=f"has {LENGTH + 1} characters, at most {LENGTH}"):
        parse("(" * (LENGTH + 1))


def test_towers_of_powers_are_arithmetic_not_integers():
    assert math.isinf(float(parse("9**9**9**9")(jnp.float32(1.0), jnp.float32(1.0))))


def test_whole_powers_have_derivatives_at_negative_numbers():
    f = parse("x**3 + y**-2")
    slope = jax.grad(lambda x: f(x, jnp.float32(-2.0)))(jnp.float32(-2.0))
    assert slope == 12.0


def test_the_same_expression_is_the_same_program():
    traces = []

    @jax.jit
    def value(f, x):
        traces.append(1)
        return f(x, x)

    assert value(parse("x*2 + y"), jnp.float32(2.0)) == 6.0
    assert value(parse("x * 2+y "), jnp.float32(3.0)) == 9.0
    assert len(traces) == 1
    value(parse("x*3 + y"), jnp.float32(2.0))
    assert len(traces) == 2
