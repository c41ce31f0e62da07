"""`mlp-opt check`: the mathematics, proven on this machine."""

from __future__ import annotations

import json
import sys
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from .progress import counting


def main(quick: bool, as_json: bool) -> int:
    """Run the checks, print the table or JSON; 0 if every difference is within its bound, else 1."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_matmul_precision", "highest")
    from ..diagnose import gradcheck, parity

    with counting("gradients") as tick:
        gradients = gradcheck.run(quick, tick)
    fused = gradcheck.run_two_step()
    with counting("optimizers") as tick:
        optimizers = parity.run(quick, tick)
    rows = gradients + fused + optimizers
    passed = all(row["passed"] for row in rows)
    report = {
        "passed": passed,
        "device": str(jax.devices()[0]),
        "bounds": {"jax.grad": gradcheck.JAX_BOUND, "finite": gradcheck.DIFFERENCE_BOUND, "optimizers": parity.BOUND},
        "gradients": gradients,
        "fused": fused,
        "optimizers": optimizers,
        "momentum_schedule_gap": parity.schedule_gap(),
    }
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        _print(report)
    return 0 if passed else 1


def _print(report: dict[str, Any]) -> None:
    console = Console()
    bounds = report["bounds"]
    title = "hand-written gradients, float64: worst relative difference"
    table = _table(
        title, "activation", "cases (finite d.)", f"jax.grad (<= {bounds['jax.grad']:g})", f"finite diff. (<= {bounds['finite']:g})"
    )
    for row in report["gradients"]:
        cases = f"{row['cases']} ({row['finite cases']})"
        table.add_row(row["activation"], cases, *_gaps(row, "jax.grad", "finite"), _verdict(row))
    console.print(table, "")
    table = _table("delta[L]: lines 1 and 2 of the notes against the fused form", "loss", "outputs", f"gap (<= {bounds['jax.grad']:g})")
    for row in report["fused"]:
        table.add_row(row["loss"], str(row["cases"]), *_gaps(row, "gap"), _verdict(row))
    console.print(table, "")
    title = f"optimizers, 1,000 steps, float64: worst difference (<= {bounds['optimizers']:g})"
    table = _table(title, "rule", "runs", "optax", "the formula, literally")
    for row in report["optimizers"]:
        table.add_row(row["optimizer"], str(row["runs"]), *_gaps(row, "optax", "formula"), _verdict(row))
    console.print(table, "")
    gap = report["momentum_schedule_gap"]
    console.print(f"momentum under a schedule is not optax.sgd(schedule, momentum): they end {gap:.2g} apart, as they must")
    console.print("all within bounds" if report["passed"] else "[red]over a bound[/red]: see the rows marked FAILED")
    sys.stdout.flush()


def _table(title: str, name: str, count: str, *gaps: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column(name)
    for heading in (count, *gaps, ""):
        table.add_column(heading, justify="right")
    return table


def _gaps(row: dict[str, Any], *keys: str) -> list[str]:
    return ["-" if row[key] is None else f"{row[key]:.1e}" for key in keys]


def _verdict(row: dict[str, Any]) -> str:
    return "[green]ok[/green]" if row["passed"] else "[red]FAILED[/red]"
