"""The page as one HTML file that works from the disk without a network: style, modules and the server's answers inside."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from ..errors import InputError
from . import race
from .app import STATIC
from .messages import Reply, frame, known, text

HASH = 4000  # characters of the page's state
MAPS = {"basins": race.basins, "heat": race.heat, "fair": race.fair}


def of_request(body: Any) -> str:
    """The page for {"race": a race as in `race.read`, "hash": the page's state, "maps": [[kind, method], ...]}. InputError."""
    asked, maps = _race_of(body), body.get("maps", [])
    if not isinstance(maps, list) or len(maps) > 40 or not all(isinstance(m, list) and len(m) == 2 for m in maps):
        raise InputError("maps must be a list of at most 40 pairs of kind and method")
    return page(asked, text(body.get("hash", ""), "hash", HASH), maps)


def gif(body: Any) -> bytes:
    """The animation that `mlp-opt race` makes, of the same request. InputError."""
    from ..figures.race_gif import race_gif  # matplotlib: only where it is needed

    with race.computing():
        ready = race.Race(race.read(_race_of(body)))
        return race_gif(ready.surface, ready.run(), ready.rates)


def _race_of(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InputError("the request must be an object with race, hash and maps")
    known(body, "the request", ("race", "hash", "maps"))
    if not isinstance(asked := body.get("race", {}), dict):
        raise InputError("race must be an object")
    return asked


def page(asked: dict[str, Any], state: str = "", maps: Any = ()) -> str:
    """The HTML of a race: its surface, paths with optax's, every method step by step, and maps (kind, method)."""
    with race.computing():
        answers: dict[str, tuple[str, Reply]] = {}

        def add(kind: str, reply: Reply, method: str = "") -> None:
            answers[f"race/{kind}:{method}"] = (f"race/{kind}", reply)

        add("about", race.about({}))
        add("surface", race.surface(asked))
        paths = race.race_paths(asked | {"optax": True})
        add("paths", paths)
        for name in paths.header["methods"]:
            if name in race.STATES:
                add("explain", race.step_by_step(asked | {"method": name}), name)
        for kind, name in maps:
            if kind not in MAPS:
                raise InputError(f"unknown map {str(kind)[:40]!r}; accepted: {', '.join(MAPS)}")
            whole = kind == "fair"  # of all methods
            add(kind, MAPS[kind](asked if whole else asked | {"method": name}), "" if whole else str(name))
        frames = {key: base64.b64encode(frame(0, kind, reply)).decode() for key, (kind, reply) in answers.items()}
    return _inline({"tab": "race", "hash": state, "frames": frames})


def _inline(data: dict[str, Any]) -> str:
    """index.html with everything inside: modules become data: addresses that an import map names."""
    modules = {}
    for path in sorted(STATIC.glob("*.js")):
        code = re.sub(r'(from|import)( ?\(?)"\./([\w-]+\.js)"', r'\1\2"page/\3"', path.read_text(encoding="utf-8"))
        modules[f"page/{path.name}"] = "data:text/javascript;base64," + base64.b64encode(code.encode()).decode()
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    safe = json.dumps(data).replace("<", "\\u003c")  # no </script> inside a script
    head = (
        f"<style>{style}</style>\n"
        f'<script type="application/json" id="baked">{safe}</script>\n'
        f'<script type="importmap">{json.dumps({"imports": modules})}</script>\n'
        '<script type="module">import "page/main.js";</script>'
    )
    html, found = re.subn(r"<!-- live -->.*?<!-- /live -->", lambda _: head, html, flags=re.DOTALL)
    assert found == 1
    return html
