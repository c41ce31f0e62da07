"""The Playground in a real browser: what it draws is what the library computes, its address holds its state, and keys reach everything."""

import base64
import io
import json

import browser
import numpy as np
import pytest
from PIL import Image

from mlp_opt.web import limits
from mlp_opt.web import playground as tab

pytestmark = [
    pytest.mark.skipif(browser.find() is None, reason="no Chromium found: apt-get install chromium"),
    pytest.mark.implicit_promotion,
    pytest.mark.long,
]
DRAWN = "JSON.parse(document.querySelector('.net')?.dataset.drawn ?? 'null')"
SMALL = "playground?h=3&b=50&m=adam~0.05"  # one program for most tests
BODY = {"hidden": [3], "batch": 50, "methods": [{"name": "adam", "rate": 0.05}]}


@pytest.fixture
def page(url, chromium):
    """The tab with a small network drawn; at the end, no error and no request outside."""
    chromium.forget()
    chromium.call("Emulation.clearDeviceMetricsOverride")
    chromium.resize(1280, 900)
    chromium.call("Emulation.setFocusEmulationEnabled", enabled=True)
    show(chromium, url + "#" + SMALL)
    yield chromium
    chromium.run("1")  # what it has still to tell
    assert chromium.errors == []
    assert chromium.outside(url) == []
    assert len(chromium.requests) > 10


def show(chromium, address):
    chromium.open(address)
    chromium.wait(f"document.readyState === 'complete' && {DRAWN}")


def library(epochs, **body):
    """The answer of the server's own functions, called directly: at `epochs`."""
    with tab.computing():
        tab.begin({"run": "e" * 8, **BODY, **body})
        numbers = {key: value for key, value in {**BODY, **body}.items() if key in tab.NUMBERS}
        return tab.train({"run": "e" * 8, "from": 0, "epochs": epochs, **numbers})


def pixels(chromium, selector):
    data = chromium.run(f"document.querySelector('{selector}').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGBA"))


def shown(chromium):
    return chromium.run(DRAWN)["now"]


def test_steps_are_epochs_of_the_library(page):
    np.testing.assert_allclose(shown(page), library(0).arrays["now"][0], rtol=1e-6)
    for _ in range(3):
        page.key("ArrowRight")
    page.wait(f"{DRAWN}.epoch === 3")
    np.testing.assert_allclose(shown(page), library(3).arrays["now"][0], rtol=1e-6)
    page.key("Home")
    page.wait(f"{DRAWN}.epoch === 0")
    np.testing.assert_allclose(shown(page), library(0).arrays["now"][0], rtol=1e-6)


def test_network_output_and_curves_are_drawn(page):
    page.run("document.querySelector('.play').click()")
    page.wait(f"{DRAWN}.epoch > 20")
    page.key(" ")
    page.run("document.querySelector('.play').title.startsWith('Pause') && document.querySelector('.play').click()")
    page.wait("document.querySelector('.play').title.startsWith('Play')")
    for selector in ("canvas.netdraw", ".bigmap canvas"):
        colors = np.unique(pixels(page, selector)[..., :3].reshape(-1, 3), axis=0)
        assert len(colors) > 100, selector
    points = pixels(page, ".bigmap canvas:nth-child(2)")
    assert 0.01 < (points[..., 3] > 0).mean() < 0.5
    curve = pixels(page, "[aria-label=Loss] canvas")
    orange = np.abs(curve[..., :3].astype(int) - [0xD5, 0x5E, 0x00]).max(-1) < 60
    assert (orange & (curve[..., 3] > 200)).sum() > 30


def test_the_address_holds_the_whole_state_and_its_epoch(page, url):
    state = "playground?d=xor&a=relu&lesson=spiral&n=0.1&p=0.7&dseed=5&b=50&seed=9&l1=0.001&e=4&k=1&v=15&disc=1&log=1&f=x,y,xy&h=3"
    state += "&m=adam~0.05&m=adam~0.2~b1=0.5"
    show(page, url + "#" + state)
    page.wait(f"{DRAWN}.epoch === 4")
    methods = [{"name": "adam", "rate": 0.05}, {"name": "adam", "rate": 0.2, "options": {"b1": 0.5}}]
    expected = library(
        4, data="xor", activation="relu", noise=0.1, share=0.7, data_seed=5, seed=9, l1=0.001, features=["x", "y", "xy"], methods=methods
    )
    np.testing.assert_allclose(shown(page), expected.arrays["now"][1], rtol=1e-6)
    page.wait(f"location.hash.replaceAll('%2C', ',').replaceAll('%7E', '~').replaceAll('%3D', '=') === '#{state}'")


def test_a_weight_that_is_set_is_the_one_that_the_server_has(page):
    page.run("document.querySelector('[data-unit=\"1.2\"]').click()")
    page.wait("!document.querySelector('.editor').hidden")
    assert page.run("document.activeElement.ariaLabel ?? document.activeElement.getAttribute('aria-label')") == "bias"
    before = shown(page)
    field = "document.querySelector('[aria-label=\"weight from y\"]')"
    page.run(f"{field}.value = '-2.5'; {field}.dispatchEvent(new Event('change'))")
    page.wait(f"{DRAWN}.now[0] !== {before[0]}")
    with tab.computing():
        tab.begin({"run": "e" * 8, **BODY})
        expected = tab.edit({"run": "e" * 8, "layer": 0, "to": 1, "input": 1, "value": -2.5, "methods": BODY["methods"]})
    np.testing.assert_allclose(shown(page), expected.arrays["now"][0], rtol=1e-6)
    page.key("Escape")
    assert page.run("document.querySelector('.editor').hidden")


def test_pointing_at_a_unit_shows_its_map_and_at_a_line_its_weight(page):
    page.run("document.querySelector('[data-unit=\"1.3\"]').focus()")
    page.wait("document.querySelector('.output h2').textContent === 'Unit 3 of layer 1'")
    page.run("document.activeElement.blur()")
    page.wait("document.querySelector('.output h2').textContent === 'Output'")
    box = "(() => {{ const r = document.querySelector('[data-{}]').getBoundingClientRect(); return [r.left, r.right, r.top]; }})()"
    left, right = (page.run(box.format(name)) for name in ("feature=x", 'unit="1.1"'))
    x, y = (left[1] + right[0]) / 2, left[2] + (left[1] - left[0]) / 2
    page.mouse("mouseMoved", x, y)
    weight = library(0).arrays["params"][0]
    page.wait("!document.querySelector('.note').hidden")
    told = page.run("document.querySelector('.note').textContent").replace("−", "-").split()[1]
    assert float(told) == pytest.approx(weight, rel=5e-3)
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    page.wait("document.activeElement.getAttribute('aria-label') === 'weight from x'")


def test_what_diverges_is_explained(page, url):
    show(page, url + "#playground?d=plane&a=relu&h=3&b=50&m=sgd~10000&e=8")
    page.wait("!document.querySelector('.lost[role=alert]').hidden")
    assert "is lost: from step" in page.run("document.querySelector('.lost[role=alert]').textContent")
    assert page.run("document.querySelector('.methods .loss').value").startswith("lost at step")


def test_own_data_is_pasted_and_a_bad_line_is_named(page):
    page.run("document.querySelector('[data-set=own]').click()")

    def use(text):
        page.run(f"document.querySelector('.own textarea').value = {json.dumps(text)}")
        page.run("document.querySelector('.own .strong').click()")

    use("a,b,c\n1,2,no\n3,what,yes")
    page.wait("!document.querySelector('#own-error').hidden")
    assert "line 3 of the data: 'what' is not a number (b)" in page.run("document.querySelector('#own-error').textContent")
    rows = "".join(f"{k},{k * k % 7},{'yes' if k % 2 else 'no'}\n" for k in range(100))
    use(rows)
    page.wait("document.querySelector('#own-error').hidden && location.hash.includes('csv=')")
    before = page.run(f"{DRAWN}.run")
    np.testing.assert_allclose(shown(page), library(0, data="own", own=rows).arrays["now"][0], rtol=1e-6)
    show(page, page.run("location.href"))
    page.wait(f"{DRAWN} && {DRAWN}.run !== '{before}' && document.querySelector('[data-set=own]').getAttribute('aria-pressed') === 'true'")


def test_a_server_that_has_forgotten_a_training_is_asked_for_it_again(page):
    page.key("ArrowRight")
    page.key("ArrowRight")
    page.wait(f"{DRAWN}.epoch === 2")
    name = page.run(f"{DRAWN}.run")
    del tab._runs[name]
    page.key("ArrowRight")
    page.wait(f"{DRAWN}.run !== '{name}' && {DRAWN}.epoch >= 2")
    page.wait(f"{DRAWN}.epoch === 3")
    np.testing.assert_allclose(shown(page), library(3).arrays["now"][0], rtol=1e-6)


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_it_fits_every_width(page, width):
    page.resize(width, 850, touch=width < 500)
    page.wait("1")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    for selector in (".play", ".net", ".bigmap", "[data-set=own]", ".methods"):
        left, right = page.run(
            f"(() => {{ const r = document.querySelector('{selector}').getBoundingClientRect(); return [r.left, r.right]; }})()"
        )
        assert 0 <= left < right <= width, selector


def test_everything_has_a_name_and_the_lessons_a_text(page):
    unnamed = page.run("""[...document.querySelectorAll('main button, main input, main select, main textarea')].filter((e) =>
        !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')?.textContent.trim())).map((e) => e.outerHTML)""")
    assert unnamed == []
    assert page.run("document.querySelectorAll('[data-lesson]').length") >= 7


def test_another_tab_and_back(page):
    page.run("location.hash = 'race'")
    page.wait("document.querySelectorAll('.layer')[1]?.dataset.drawn")
    page.run("[...document.querySelectorAll('nav a')].find((a) => a.textContent === 'Playground').click()")
    page.wait(f"{DRAWN} && location.hash.includes('h=3')")
    assert page.run(f"{DRAWN}.epoch") == 0
    assert limits.HIDDEN[0] == 6


def test_the_curves_are_saved_as_a_table_and_the_network_as_a_picture(page):
    page.key("ArrowRight")
    page.key("ArrowRight")
    page.wait(f"{DRAWN}.epoch === 2")
    page.run("URL.createObjectURL = (blob) => { window.saved = blob; return '#'; }; HTMLAnchorElement.prototype.click = () => {};")

    def save(name):
        page.run(f"window.saved = null; [...document.querySelectorAll('.menu button')].find((b) => b.textContent === '{name}').click()")
        page.wait("window.saved !== null")

    save("Curves (CSV)")
    head, *rows = page.run("window.saved.text()").strip().split("\n")
    assert head.split(",")[:3] == ["epoch", "adam train_loss", "adam train_score"]
    found = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    np.testing.assert_allclose(found[1:, 1:], library(2).arrays["curve"][0], rtol=1e-6)
    np.testing.assert_allclose(found[0], [0, *library(0).arrays["now"][0]], rtol=1e-6)
    save("Network (PNG)")
    assert page.run("window.saved.type") == "image/png"
    assert page.run("window.saved.size") > 5000
