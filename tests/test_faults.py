"""A few of the kills that `scripts/faults` deals by the hundred."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts/faults"


@pytest.mark.long
def test_a_sweep_survives_being_killed_at_any_point():
    own = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}  # a kill may leave half a compiled program
    run = subprocess.run([sys.executable, SCRIPT, "--kills", "4", "--seed", "1"], env=own, capture_output=True, text=True, timeout=400)
    assert run.returncode == 0, run.stdout + run.stderr
    landed = dict(re.findall(r"([a-z ]+) (\d+)", run.stdout.split("kills that landed: ")[1]))
    assert sum(map(int, landed.values())) >= 4
    assert any("file" in name or "fsync" in name or "rename" in name or "line" in name for name in landed)
