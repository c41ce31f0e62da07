"""The live page in a real browser: it draws what JAX computes, follows the pointer, and asks nobody but its server."""

import base64
import io
import json
import re
import time
from urllib.parse import urlsplit

import browser
import numpy as np
import pytest
from PIL import Image
from serving import serving

from mlp_opt import schedules
from mlp_opt.optimizers import OPTIMIZERS
from mlp_opt.races import paths as races
from mlp_opt.races.fair import fair
from mlp_opt.surfaces import surface
from mlp_opt.web import bake

pytestmark = [
    pytest.mark.skipif(browser.find() is None, reason="no Chromium found: apt-get install chromium"),
    pytest.mark.implicit_promotion,
    pytest.mark.long,
]
DRAWN = "JSON.parse(document.querySelectorAll('.layer')[1]?.dataset.drawn ?? 'null')"


@pytest.fixture
def page(url, chromium):
    """A fresh page with its paths drawn; at the end, no error and no request outside."""
    chromium.forget()
    chromium.call("Emulation.clearDeviceMetricsOverride")
    chromium.resize(1280, 900)
    show(chromium, url)
    yield chromium
    chromium.run("1")  # what it has still to tell
    assert chromium.errors == []
    assert chromium.outside(url) == []
    assert len(chromium.requests) > 10


def show(chromium, address):
    chromium.open(address)
    chromium.wait(f"document.readyState === 'complete' && {DRAWN}")


def box(chromium, selector="canvas.layer:nth-child(2)"):
    found = chromium.run(
        f"(() => {{ const r = document.querySelector('{selector}').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; }})()"
    )
    return found


def pixels(chromium, index):
    """A layer of the stage, RGBA."""
    data = chromium.run(f"document.querySelectorAll('.layer')[{index}].toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGBA"))


def drag(chromium, points):
    chromium.mouse("mousePressed", *points[0])
    for point in points[1:]:
        chromium.mouse("mouseMoved", *point)
    chromium.mouse("mouseReleased", *points[-1])


def test_the_ends_drawn_are_jaxs(page, x64):
    found = page.run(DRAWN)
    land = surface("himmelblau")
    rules = {name: races.make(name, races.default_rate(land, name)) for name in races.SEVEN}
    for name, path in races.race(land, rules).items():
        np.testing.assert_allclose(found[name], path.w[-1], atol=1e-5, err_msg=name)


def test_both_views_are_drawn(page):
    ground, over = pixels(page, 0), pixels(page, 1)
    assert len(np.unique(ground[..., :3].reshape(-1, 3), axis=0)) > 100
    assert (over[..., 3] > 0).mean() > 0.005
    for color in ("#0072B2", "#E69F00", "#D55E00"):
        rgb = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(over[..., :3].astype(int) - rgb).max(-1) <= 2).sum() > 50, color
    page.run("document.querySelector('[data-view=relief]').click()")
    page.wait("document.querySelectorAll('.layer')[2].dataset.drawn")
    assert (pixels(page, 2)[..., 3] > 0).mean() > 0.2


def test_dragging_the_start_moves_every_path(page):
    x, y, width, height = box(page)
    before = page.run(DRAWN)
    page.wait("document.querySelector('[aria-label=\"Start, x\"]').value")
    center = (x + 0.45 * width, y + 0.5 * height)
    page.run("performance.clearMeasures()")
    page.mouse("mousePressed", *center)
    for k in range(60):
        page.mouse("mouseMoved", center[0] + 2 * k, center[1] - k)
        time.sleep(0.02)
    page.mouse("mouseReleased", center[0] + 118, center[1] - 59)
    start = [float(page.run(f"document.querySelector('[aria-label=\"Start, {axis}\"]').value")) for axis in "xy"]
    assert np.hypot(start[0] + 0.5, start[1] + 0.5) > 0.5
    rules = {name: races.make(name, races.default_rate(surface("himmelblau"), name)) for name in races.SEVEN}
    ends = {name: path.w[-1] for name, path in races.race(surface("himmelblau"), rules, start=start).items()}
    page.wait(f"Math.abs({DRAWN}.sgd[0] - {ends['sgd'][0]}) < 1e-3")
    after = page.run(DRAWN)
    assert all(np.hypot(*np.subtract(after[name], before[name])) > 1 for name in races.SEVEN)  # another minimum
    times = page.run("performance.getEntriesByName('drag').map((entry) => entry.duration)")
    middle, late = np.quantile(times, [0.5, 0.95])
    print(f"\n{len(times)} frames, from input to drawn frame: median {middle:.0f} ms, 95th percentile {late:.0f} ms")
    assert len(times) > 3
    assert middle < 1000  # a hang, not a benchmark


def test_sliders_move_their_path_alone(page):
    before = page.run(DRAWN)
    page.run(
        "(() => { const s = document.querySelector('[data-method=sgd] input[type=range]'); s.value = -4;"
        " s.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    page.wait(f"JSON.stringify({DRAWN}.sgd) !== '{json.dumps(before['sgd'], separators=(',', ':'))}'")
    after = page.run(DRAWN)
    assert {name for name in before if before[name] != after[name]} == {"sgd"}
    page.run("document.querySelector('[data-method=adam] input[type=checkbox]').click()")
    page.wait(f"!('adam' in {DRAWN})")


def test_scrub_step_and_play(page):
    count = "document.querySelector('.count').value"
    page.key("Home")
    page.wait(f"{count} === '0 / 200'")
    start = page.run(DRAWN)
    assert all(np.allclose(point, (-0.5, -0.5), atol=1e-5) for point in start.values())
    page.key("ArrowRight")
    page.key("ArrowRight", shift=True)
    page.wait(f"{count} === '11 / 200'")
    page.key("ArrowLeft")
    page.wait(f"{count} === '10 / 200'")
    page.run("(() => { const s = document.querySelector('.scrub'); s.value = 120; s.dispatchEvent(new Event('input')); })()")
    page.wait(f"{count} === '120 / 200'")
    page.key(" ")
    page.wait(f"Number({count}.split(' ')[0]) > 122")
    page.key(" ")
    page.wait("document.querySelector('.play').title.startsWith('Play')")
    page.key("End")
    page.wait(f"{count} === '200 / 200'")


def test_the_address_holds_the_whole_state(page, url):
    address = (
        url + "#race?s=booth&p=2,-3&m=sgd~0.02&m=!adam~0.3~b1=0.5&steps=80&t=40&speed=2&focus=sgd&show=gradient&basins=1&schedule=cosine"
    )
    show(page, address)
    page.wait("document.querySelector('.count').value === '40 / 80'")
    rules = {"sgd": OPTIMIZERS["sgd"](schedules.cosine(0.02, 80.0))}
    path = races.race(surface("booth"), rules, start=(2.0, -3.0), steps=80)["sgd"]
    found = page.run(DRAWN)
    assert set(found) == {"sgd"}
    np.testing.assert_allclose(found["sgd"], path.w[40], atol=1e-3)
    page.wait("location.hash.includes('m=sgd%7E')")  # the address follows after a while
    written = page.run("location.hash")
    for part in (
        "s=booth",
        "p=2",
        "m=sgd%7E0.02",
        "m=%21adam%7E0.3%7Eb1%3D0.5",
        "steps=80",
        "t=40",
        "speed=2",
        "show=gradient",
        "basins=1",
        "schedule=cosine",
    ):
        assert part in written, part
    show(page, url + written)
    page.wait("document.querySelector('.count').value === '40 / 80'")
    np.testing.assert_allclose(page.run(DRAWN)["sgd"], found["sgd"], atol=1e-9)


def test_an_expression_and_its_mistakes(page, url):
    show(page, url + "#race?f=x**2%2B2*y**2&x=-1,1&y=-1,1&p=0.5,0.5")
    assert page.run("document.querySelector('input.formula').value") == "x**2+2*y**2"
    page.run("(() => { const f = document.querySelector('input.formula'); f.value = 'x^2'; f.dispatchEvent(new Event('change')); })()")
    said = page.wait("!document.querySelector('.error').hidden && document.querySelector('.error').textContent")
    assert "write ** for a power" in said
    page.run(
        "(() => { const f = document.querySelector('input.formula'); f.value = 'x**4+y**2'; f.dispatchEvent(new Event('change')); })()"
    )
    page.wait("document.querySelector('.error').hidden")


@pytest.mark.parametrize(
    "hash",
    [
        "#race?m=none~1&focus=none",
        "#none",
        "#race?steps=1e9&t=-5&speed=nan&turn=a,b&p=1",
        "#race?m=~~~&m=sgd~x&show=all",
        "#race?%",
        "#race?c=-1&s=quadratic",
    ],
)
def test_an_address_that_makes_no_sense_is_read_as_far_as_it_does(page, url, hash):
    show(page, url + hash)
    assert page.run("document.querySelector('.error').hidden")


def test_a_surface_that_is_none_is_told(page, url):
    page.open(url + "#race?s=none")
    assert "unknown surface 'none'" in page.wait("document.querySelector('.error')?.textContent")
    page.run("(() => { const s = document.querySelector('select'); s.value = 'booth'; s.dispatchEvent(new Event('change')); })()")
    page.wait(f"{DRAWN} && document.querySelector('.error').hidden")


def test_a_lost_connection_is_told_and_found_again(chromium):
    with serving() as address:
        show(chromium, address)
        port = urlsplit(address).port
    chromium.wait("!document.getElementById('notice').hidden")
    with serving(port):
        chromium.wait("document.getElementById('notice').hidden")
        before = chromium.run(DRAWN)
        x, y, width, height = box(chromium)
        drag(chromium, [(x + 0.3 * width, y + 0.7 * height), (x + 0.3 * width, y + 0.75 * height)])
        chromium.wait(f"JSON.stringify({DRAWN}) !== '{json.dumps(before, separators=(',', ':'))}'")


def test_lessons(page):
    names = page.run("[...document.querySelectorAll('.chips .chip')].map((chip) => chip.dataset.lesson)")
    assert len(names) >= 7
    texts = set()
    for name in names[1:]:
        page.run(f"document.querySelector('[data-lesson={name}]').click()")
        page.wait(f"document.querySelector('[data-lesson={name}]').ariaPressed === 'true' && location.hash.includes('lesson={name}')")
        assert page.run("document.querySelector('.error').hidden")
        texts.add(page.run("document.querySelector('.lesson').textContent"))
    assert len(texts) == len(names) - 1


def test_step_by_step_shows_the_numbers(page):
    page.key("Home")
    page.run("document.querySelector('[data-method=momentum] .name').click()")
    page.wait("document.querySelector('.steps h2').textContent.endsWith('momentum')")
    page.wait("document.querySelectorAll('.states li').length === 5")
    path = races.race(surface("himmelblau"), {"momentum": races.make("momentum", 0.002)}, start=(-0.5, -0.5), steps=3)["momentum"]
    text = page.run("document.querySelectorAll('.states li')[2].textContent")
    shown = [float(t.replace("−", "-")) for t in re.findall(r"−?\d+\.?\d*", text)]
    np.testing.assert_allclose(shown[-2:], path.gradient[0], rtol=6e-3)
    page.run("window.before = document.querySelectorAll('.layer')[1].toDataURL(); document.querySelectorAll('.states button')[2].click()")
    page.wait("document.querySelectorAll('.states li')[2].className === 'current'")
    page.wait("document.querySelectorAll('.layer')[1].toDataURL() !== window.before", 10)  # the state is drawn on the map


def test_maps_and_their_clicks(page, url):
    show(page, url + "#race?s=himmelblau&m=momentum~0.002&focus=momentum&heat=1&basins=1")
    page.wait("document.querySelector('[aria-label=\"Heat map\"] h2').textContent === 'momentum: learning rate α × μ'")
    page.wait("document.querySelector('.toggles').textContent.includes('of the starts reach a minimum')")
    page.run("document.querySelector('canvas.heat').scrollIntoView()")
    x, y, width, height = box(page, "canvas.heat")
    before = page.run(DRAWN)
    page.mouse("mousePressed", x + 0.5 * width, y + 0.6 * height)
    page.mouse("mouseReleased", x + 0.5 * width, y + 0.6 * height)
    page.wait(f"JSON.stringify({DRAWN}) !== '{json.dumps(before, separators=(',', ':'))}'")
    rate, mu = page.run("[...document.querySelectorAll('[data-method=momentum] .value')].map((o) => o.value)")
    assert float(rate.replace("−", "-")) > 0.002
    assert 0 < float(mu) < 0.9


def test_a_fair_comparison_and_its_rates(page, url, x64):
    show(page, url + "#race?s=booth&m=sgd~0.001&m=adam~0.001&fair=1&steps=100")
    rows = page.wait(
        "[...document.querySelectorAll('tbody tr')].map((row) => row.textContent).length === 2 && document.querySelector('tbody').innerText"
    )
    builds = {"sgd": OPTIMIZERS["sgd"], "adam": OPTIMIZERS["adam"]}
    best = fair(surface("booth"), builds, 100)
    assert rows.split()[0] == min(best, key=lambda name: best[name].quartiles[1])
    page.run("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Use these rates').click()")
    for name, result in best.items():
        page.wait(f"Math.abs(document.querySelector('[data-method={name}] .value').value / {result.rate} - 1) < 0.01")


@pytest.mark.parametrize(
    ("entry", "name", "begins"),
    [("PNG", "race.png", b"\x89PNG"), ("CSV", "paths.csv", b"optimizer,step,x,y"), ("HTML", "race.html", b"<!doctype html>")],
)
def test_exports(page, tmp_path, entry, name, begins):
    page.run("document.querySelector('.menu').open = true")
    file = page.download(entry, tmp_path)
    assert file.name == name
    assert file.read_bytes().startswith(begins)
    if entry == "CSV":
        lines = file.read_text().splitlines()
        assert len(lines) == 1 + 7 * 201
        assert lines[1].startswith("sgd,0,-0.5,-0.5,")


def test_theme_and_narrow_screens(page):
    for width in (1440, 1024, 390):
        page.resize(width, 844, touch=width < 500)
        page.wait(f"innerWidth === {width}")
        assert page.run("document.documentElement.scrollWidth") <= width
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.prefer(prefers_color_scheme="dark")
    page.wait(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
    page.prefer(prefers_color_scheme="light")


def test_every_control_has_a_name(page):
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    kinds = {"button", "slider", "checkbox", "combobox", "textbox", "spinbutton", "tab", "image"}
    nameless = [n for n in nodes if not n.get("ignored") and n["role"]["value"] in kinds and not n.get("name", {}).get("value")]
    assert nameless == []


def test_the_saved_page_works_from_the_disk_without_a_network(chromium, tmp_path):
    body = {"surface": "booth", "methods": [{"name": "sgd", "rate": 0.05}, {"name": "adam", "rate": 0.5}], "start": [4, -4], "steps": 50}
    file = tmp_path / "race.html"
    file.write_text(bake.page(body, maps=[("basins", "adam")]))
    chromium.forget()
    chromium.resize(1280, 900)
    chromium.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    try:
        show(chromium, file.as_uri())
        path = races.race(surface("booth"), {"sgd": OPTIMIZERS["sgd"](0.05)}, start=(4.0, -4.0), steps=50)["sgd"]
        np.testing.assert_allclose(chromium.run(DRAWN)["sgd"], path.w[-1], atol=1e-3)
        assert "not recomputed" in chromium.run("document.getElementById('notice').textContent")
        chromium.key("Home")
        chromium.wait("document.querySelector('.count').value === '0 / 50'")
        np.testing.assert_allclose(chromium.run(DRAWN)["adam"], (4, -4), atol=1e-3)
        assert chromium.errors == []
        assert all(r.startswith(("file:", "data:", "about:")) for r in chromium.requests)
    finally:
        chromium.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
