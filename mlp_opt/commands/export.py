"""`mlp-opt export`: a saved model as an ONNX file."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..export.onnx_export import to_onnx
from ..export.onnx_model import trained_to_onnx
from ..store import files
from ..store.model_files import TrainedModel
from .predict import load


def main(model: Path, out: Path | None, bare: bool) -> int:
    """Write the file. InputError where the model cannot be expressed."""
    out = files.check_new_file(out, (".onnx",))
    trained = load(model)
    if not isinstance(trained, TrainedModel):
        raise InputError(f"{model} is an ensemble, which is several networks; export its best model alone")
    content = to_onnx(trained.model, trained.params) if bare else trained_to_onnx(trained)
    files.write(out, content)
    print(f"{len(content):,} bytes: {out}")
    return 0
