"""A user's own function of x and y: parsed by a whitelist, never evaluated as Python, run by JAX.

    function = parse("x**2 + 3*sin(y)")      f(x, y), elementwise on arrays of one shape

Accepted: the names x, y, pi, e; decimal numbers; + - * / ** and parentheses; sin, cos, exp, log, sqrt, abs,
tanh of one argument. The text becomes a tree of tuples, which is hashable: a program compiled for an
expression is found again when the same expression comes back. All arithmetic is done by JAX in the dtype of
x, so 9**9**9**9 is infinite and takes no time.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from .bound import Bound
from .errors import InputError, check_name

LENGTH, DEPTH = 500, 100
VARIABLES = ("x", "y")
CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS = {
    "sin": jnp.sin, "cos": jnp.cos, "exp": jnp.exp, "log": jnp.log, "sqrt": jnp.sqrt, "abs": jnp.abs, "tanh": jnp.tanh,
}  # fmt: skip
OPERATORS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
ACCEPTED = f"accepted: x, y, numbers, pi, e, + - * / **, parentheses, {', '.join(FUNCTIONS)}"
Tree = tuple[Any, ...]  # ("x",) | ("number", float) | ("pi",) | ("negative", tree) | (operator, tree, tree) | (function, tree)


def parse(text: str) -> Bound:
    """The function f(x, y) that `text` writes: arrays (or scalars) of one shape and float dtype in, the same out.

    InputError, with the column, for anything but the accepted symbols, more than 500 characters or 100 levels.
    """
    return Bound(Expression(parse_tree(text)))


@dataclass(frozen=True)
class Expression:
    """A tree as a function of (x, y): hashable by what it computes, so it is structure to JAX, not numbers."""

    tree: Tree
    __name__ = "expression"

    def __call__(self, x: Any, y: Any) -> Any:
        """The value at (x, y): arrays of one shape and float dtype."""
        return evaluate(self.tree, jnp.asarray(x), jnp.asarray(y))


def parse_tree(text: str) -> Tree:
    """The text as nested tuples; InputError as in `parse`."""
    if len(text) > LENGTH:
        raise InputError(f"expression has {len(text)} characters, at most {LENGTH} are accepted")
    strange = re.search(r"[^0-9A-Za-z_.+\-*/() ,]", text)
    if strange:
        power = "; write ** for a power" if strange[0] == "^" else ""
        raise _wrong(text, strange.start(), f"unexpected {strange[0]!r}{power}")
    stripped = text.strip()
    try:
        with warnings.catch_warnings(action="ignore"):  # Python has opinions on texts like 1if
            body = ast.parse(stripped, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = max((getattr(error, "offset", None) or 1) - 1, 0)
        raise _wrong(stripped, at, getattr(error, "msg", None) or "too deeply nested") from None
    return _tree(body, stripped, 0)


def _wrong(text: str, at: int, reason: str) -> InputError:
    near = text[at : at + 12] or "the end"
    shown = text if len(text) <= 60 else text[:57] + "..."
    return InputError(f"expression {shown!r}, column {at + 1}, at {near!r}: {reason}; {ACCEPTED}")


def _tree(node: ast.expr, text: str, depth: int) -> Tree:
    at = getattr(node, "col_offset", 0)
    if depth > DEPTH:
        raise _wrong(text, at, f"nested more than {DEPTH} levels deep")
    match node:
        case ast.Name(id=name) if name in VARIABLES or name in CONSTANTS:
            return (name,)
        case ast.Name(id=name):
            reason = "a function needs its argument in parentheses" if name in FUNCTIONS else f"unknown name {name!r}"
            raise _wrong(text, at, reason)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if value > 1e300:
                raise _wrong(text, at, "number too large, at most 1e300")
            return ("number", float(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ("negative", _tree(operand, text, depth + 1))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _tree(operand, text, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return (OPERATORS[type(op)], _tree(left, text, depth + 1), _tree(right, text, depth + 1))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if not isinstance(argument, ast.Starred):
            try:
                check_name("function", name, FUNCTIONS)
            except InputError as error:
                raise _wrong(text, at, str(error).split("; accepted")[0]) from None
            return (name, _tree(argument, text, depth + 1))
        case ast.Call():
            raise _wrong(text, at, "a function is called by its name, with one argument")
    raise _wrong(text, at, "not accepted")


def evaluate(tree: Tree, x: Any, y: Any) -> Any:
    """The tree's value at arrays x, y of one shape and float dtype."""

    def value(tree: Tree) -> Any:
        kind = tree[0]
        if kind in VARIABLES:
            return x if kind == "x" else y
        if kind == "number" or kind in CONSTANTS:
            return jnp.asarray(tree[1] if kind == "number" else CONSTANTS[kind], x.dtype)
        if kind == "**":
            power = _whole(tree[2])
            return value(tree[1]) ** (value(tree[2]) if power is None else power)
        parts = [value(part) for part in tree[1:]]
        match kind:
            case "negative":
                return -parts[0]
            case "+":
                return parts[0] + parts[1]
            case "-":
                return parts[0] - parts[1]
            case "*":
                return parts[0] * parts[1]
            case "/":
                return parts[0] / parts[1]
        return FUNCTIONS[kind](parts[0])

    return jnp.broadcast_to(value(tree), x.shape)


def _whole(tree: Tree) -> int | None:
    """A small whole exponent, whose power and derivative are exact for negative bases too; None for any other."""
    sign, tree = (-1, tree[1]) if tree[0] == "negative" else (1, tree)
    return sign * int(tree[1]) if tree[0] == "number" and tree[1] == int(tree[1]) <= 64 else None


PRECEDENCE = {"+": 1, "-": 1, "negative": 1, "*": 2, "/": 4, "**": 3}


def latex(tree: Tree) -> str:
    """The tree in LaTeX's mathematics, without the dollars."""

    def inside(part: Tree, least: int) -> str:
        shown = latex(part)
        return shown if PRECEDENCE.get(part[0], 4) >= least else rf"\left({shown}\right)"

    kind = tree[0]
    if kind in (*VARIABLES, "e"):
        return kind
    if kind == "pi":
        return r"\pi"
    if kind == "number":
        mantissa, _, exponent = f"{tree[1]:.6g}".partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
    if kind == "negative":
        return "-" + inside(tree[1], 2)
    if kind in "+-":
        return f"{inside(tree[1], 1)} {kind} {inside(tree[2], 1 if kind == '+' and tree[2][0] != 'negative' else 2)}"
    if kind == "*":
        dot = r" \cdot " if tree[2][0] == "number" else r" \, "
        return inside(tree[1], 2) + dot + inside(tree[2], 2)
    if kind == "/":
        return rf"\frac{{{latex(tree[1])}}}{{{latex(tree[2])}}}"
    if kind == "**":
        fraction = tree[1][0] == "/" or tree[1][0] in FUNCTIONS
        base = rf"\left({latex(tree[1])}\right)" if fraction else inside(tree[1], 4)
        return f"{base}^{{{latex(tree[2])}}}"
    if kind == "sqrt":
        return rf"\sqrt{{{latex(tree[1])}}}"
    if kind == "abs":
        return rf"\left|{latex(tree[1])}\right|"
    return rf"\{kind}\left({latex(tree[1])}\right)"
