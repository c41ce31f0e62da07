"""The gallery: every picture of the notes, its files, and the page that shows them all."""

from __future__ import annotations

import io
from collections.abc import Mapping

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from . import activations, approximation, boundary, depth, descent, escapes, graph, landscapes, noise, page, race_gallery
from .curves import png
from .entries import Entry

FILES = (graph, activations, approximation, boundary, depth, descent, noise, escapes, race_gallery, landscapes)  # in the order of the page
GALLERY: dict[str, Entry] = {entry.name: entry for file in FILES for entry in file.GALLERY}


def contents(made: Figure | bytes) -> dict[str, bytes]:
    """A picture's files by their suffix: png and svg of a figure, gif of an animation. The same figure gives the same bytes."""
    if isinstance(made, bytes):
        return {"gif": made}
    with rc_context({"svg.hashsalt": "mlp_opt"}):  # else the ids in it are random
        buffer = io.BytesIO()
        made.savefig(buffer, format="svg", metadata={"Date": None})
    return {"png": png(made), "svg": buffer.getvalue()}


def index(pictures: Mapping[str, Mapping[str, bytes]]) -> str:
    """The page of these pictures (name -> its files by suffix): under each its sentence and the notes'."""
    parts = [
        "<h1>The notes in pictures</h1>",
        '<div class="facts"><p>Every picture is made from a computation of this package; under it, what it shows, and the sentence of the '
        "notes that it illustrates.</p></div>",
    ]
    for name, files in pictures.items():
        entry = GALLERY[name]
        kind = "gif" if "gif" in files else "png"
        pixels = Image.open(io.BytesIO(files[kind])).size[0]
        width = pixels if kind == "gif" else round(pixels / 1.5)  # a figure has 150 pixels an inch and is shown at 100
        parts.append(f"<h2>{name.replace('_', ' ')}</h2>")
        parts.append(page.picture(name, files[kind], entry.caption, width, entry.caption, entry.notes))
    return page.document("The notes in pictures", parts)
