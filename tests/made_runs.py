"""Small runs of every kind, made by the commands, for the tests of the page that shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlp_opt as mo
from mlp_opt import cli

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1e30)  # with the last they diverge
SPACE = {"learning_rate": list(RATES), "optimizer": ["momentum", "adam"]}


def make(root: Path) -> mo.Sweep:
    """`sweep` (14 networks, of which it keeps the curves of 10), `plane`, `net` in `root`."""
    found = mo.sweep(SPACE, "iris", hidden=(8,), epochs=6, batch_size=16, method="grid", tile=4, out=root / "sweep")
    small = ["iris", "--epochs", "3", "--hidden", "8"]
    more = ["--optimizers", "sgd,adam", "--learning-rates", "sgd=0.3", "--grid", "7", "--hessian-rows", "50"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlp_opt.commands.landscape._figures", lambda *_: {})  # the pictures take long, and nobody looks at them here
        assert cli.main(["landscape", *small, *more, "--out", str(root / "plane")]) == 0
    assert cli.main(["train", *small, "--out", str(root / "net")]) == 0
    return found
