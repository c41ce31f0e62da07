"""What a siege throws at the server: texts that are no expressions, messages that are no requests, bytes that are no HTTP."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from pathlib import Path

from mlp_opt.errors import InputError
from mlp_opt.expressions import parse_tree

CANARY = Path("/tmp/siege-canary")
CALLS = [
    f"__import__('os').system('touch {CANARY}')", f"open('{CANARY}','w')", f"exec(\"open('{CANARY}','w')\")", "sin(*x)", "sin(a=x)",
    "().__class__.__mro__[1].__subclasses__()", "x.__class__", "sin.__globals__", "sin", "sin()", "sin(x, y)", "f'{x}'",
]  # fmt: skip
HEAVY = [
    "9**9**9**9**9**9", "1e999999", "0x" + "f" * 400, "1_000", "x" * 600, "(" * 300 + "x" + ")" * 300, "-" * 499 + "x", "x**" * 150 + "x",
    "sin(" * 90 + "x" + ")" * 90,
]  # fmt: skip
PYTHON = [
    "x[0]", "x.y", "x@y", "x//y", "x%y", "x&y", "~x", "x<y", "'a'", "b'a'", "1j", "x;y", "*x", "True", "None", "...", "{x: y}",
    "[x for x in y]", "lambda: x", "(x := 3)", "x if y else x", "await x", "yield x", "not x", "x\ny", "x\x00y", "\ud7ff", "x\u202ey",
]  # fmt: skip
HOSTILE = CALLS + HEAVY + PYTHON
GOOD = ["x**2 + 3*sin(y)", "exp(-x*x) * cos(3*y)", "log(abs(x) + 1) + tanh(y)", "(x - 1)**2 / (1 + y*y)", "sqrt(x*x + y*y) - pi"]


def texts(count: int, valid: int, rng: random.Random) -> Iterator[str]:
    """So many texts, random and hostile, among them at most `valid` expressions: each of those is compiled."""
    letters = "xy0123456789.+-*/() sincoexplgqrtab_e'\"[]{}:;,\\=^%&|<>!@#~`\n\t" + "λ∂\u202e\x00"
    yield from HOSTILE
    left = count - len(HOSTILE)
    while left > 0:
        kind = rng.random()
        if kind < 0.4:
            text = "".join(rng.choice(letters) for _ in range(rng.randrange(120)))
        elif kind < 0.6:
            text = "".join(rng.choice(string.printable) for _ in range(rng.randrange(700)))
        else:
            text = rng.choice(HOSTILE if kind < 0.85 else GOOD)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(text) + 1)
                text = text[:at] + rng.choice([rng.choice(letters), rng.choice(HOSTILE), ""]) + text[at + rng.randrange(3) :]
        try:
            parse_tree(text)
        except InputError:
            pass
        else:
            if valid == 0:
                continue
            valid -= 1
        yield text
        left -= 1


def malformed(rng: random.Random, kinds: list[str]) -> str | bytes:
    good = json.dumps({"id": 1, "kind": "race/paths", "surface": "himmelblau", "start": [1, 1], "steps": 20})
    at = rng.randrange(len(good))
    values = [None, True, -1, 2**70, 1e308, "x" * 300, [], {}, [[[]]], {"a": {"b": []}}, "\u0000", [1, 2, 3]]
    body = {
        rng.choice(["surface", "start", "steps", "methods", "x", "dataset", "rate", "batch", "at", "method", "zzz"]): rng.choice(values)
        for _ in range(3)
    }
    return rng.choice([
        lambda: good[:at],
        lambda: good[:at] + chr(rng.randrange(32, 0xD7FF)) + good[at + rng.randrange(3) :],
        lambda: rng.randbytes(rng.randrange(1, 2000)),
        lambda: "[" * rng.randrange(1, 60000),
        lambda: '{"a":' * rng.randrange(1, 9000),
        lambda: json.dumps(rng.choice(values)),
        lambda: json.dumps({"id": rng.choice(values), "kind": rng.choice([*kinds, None, 7, "x/y"])}),
        lambda: json.dumps({"id": 1, "kind": rng.choice(kinds), "zzz": 1, **body}),
        lambda: '{"id": 1, "kind": "race/paths", "steps": 1e999}',
        lambda: '{"id": 1, "kind": "race/paths", "start": [NaN, Infinity]}',
    ])()  # fmt: skip


def no_http(host: str, rng: random.Random) -> list[bytes]:
    """Noise, a version that does not exist, half a handshake, frames that lie about their length."""
    handshake = f"GET /socket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
    return [
        rng.randbytes(5000), b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000, handshake.encode(),
        handshake.encode() + b"Sec-WebSocket-Version: 13\r\n\r\n" + b"\x82\xff" + b"\xff" * 8 + rng.randbytes(100),
        handshake.encode() + b"Sec-WebSocket-Version: 13\r\n\r\n" + rng.randbytes(500),
    ]  # fmt: skip
