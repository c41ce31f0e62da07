"""A page that needs nothing but itself (no network, no scripts): its style, its frame, the pictures inside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1c1e21; --soft: #5f6570; --line: #e3e4e6; --best: #fdf3e3; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14161a; --card: #1c1f24; --ink: #e8e9eb; --soft: #a0a6b0; --line: #33373e; --best: #3a3020; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0 0 .5rem; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem; }
blockquote { margin: .4rem 0 0; padding-left: .75rem; border-left: 3px solid var(--line); font-style: italic; }
.facts { margin: 0 0 2rem; color: var(--soft); }
.facts p { margin: .1rem 0; }
figure { margin: 0 0 2rem; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; background: #fff; border-radius: 6px; }
figcaption { margin-top: .75rem; color: var(--soft); font-size: .92rem; }
.scroll { overflow-x: auto; margin-bottom: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .8rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; }
tbody tr:first-child { background: var(--best); font-weight: 600; }
tbody tr:last-child td { border-bottom: 0; }
@media print { figure, .scroll { break-inside: avoid; } }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page from pieces of HTML, empty ones left out. The title is escaped here; the parts are taken as they are."""
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>'
    body = "\n".join(part for part in parts if part)
    start = f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n'
    return f"{start}{body}\n</main>\n</body>\n</html>\n"


def pictures(
    title: str, facts: Sequence[str], numbers: pl.DataFrame, figures: Sequence[tuple[str, Figure, bytes, str]], notes: Sequence[str]
) -> str:
    """A page of pictures (stem, figure, its PNG, caption), then a table and notes."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<div class="facts">' + "".join(f"<p>{escape(line)}</p>" for line in facts) + "</div>",
        *(figure(stem, drawn, data, caption) for stem, drawn, data, caption in figures),
        f"<h2>Numbers</h2>\n{table(numbers)}",
        "<h2>Notes</h2>\n<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>",
    ]
    return document(title, parts)


def figure(stem: str, drawn: Figure, data: bytes, caption: str) -> str:
    """One figure's PNG at half its pixels (sharp on fine screens), with its caption."""
    return picture(stem, data, alt(stem, drawn), round(100 * float(drawn.get_size_inches()[0])), caption)


def picture(stem: str, data: bytes, described: str, width: int, caption: str, quotation: str = "") -> str:
    """A PNG or GIF in a data URI, `width` CSS pixels wide; every text is escaped."""
    kind = "gif" if data.startswith(b"GIF8") else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    image = f'<img src="{source}" alt="{escape(described)}" width="{width}">'
    quoted = f"\n<blockquote>{escape(quotation)}</blockquote>" if quotation else ""
    return f'<figure id="{escape(stem)}">\n{image}\n<figcaption>{escape(caption)}{quoted}</figcaption>\n</figure>'


def alt(stem: str, drawn: Figure) -> str:
    """What a figure shows, for those who cannot see it: its title and the names of its axes."""
    title = drawn.get_suptitle() or next((a.get_title().strip() for a in drawn.axes), "")
    names = [
        next((name for name in found if name), "") for found in ([a.get_ylabel() for a in drawn.axes], [a.get_xlabel() for a in drawn.axes])
    ]
    return (title or stem.replace("_", " ")) + (f": {names[0]} against {names[1]}" if all(names) else "")


def table(frame: pl.DataFrame) -> str:
    """A data frame as an HTML table, numbers to the right."""
    right = [' class="number"' if dtype.is_numeric() else "" for dtype in frame.dtypes]
    header = "".join(f'<th scope="col"{side}>{escape(name)}</th>' for name, side in zip(frame.columns, right, strict=True))
    rows = "\n".join(
        "<tr>" + "".join(f"<td{side}>{escape(_text(v))}</td>" for v, side in zip(row, right, strict=True)) + "</tr>"
        for row in frame.iter_rows()
    )
    return f'<div class="scroll">\n<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>'


def _text(value: Any) -> str:
    """A cell: four significant digits, an en dash for what is missing."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
