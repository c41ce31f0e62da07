"""The live page's server: what it answers, what it refuses, and that nothing sent to it brings it down."""

import http.client
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from urllib.parse import urlsplit

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from serving import Page, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mlp_opt import cli
from mlp_opt.errors import InputError
from mlp_opt.optimizers import OPTIMIZERS
from mlp_opt.races import fair as fairness
from mlp_opt.races import paths as races
from mlp_opt.races.explain import STATES, explain
from mlp_opt.surfaces import SURFACES, surface
from mlp_opt.web import app, limits, messages, serve
from mlp_opt.web import race as tab

METHODS = [{"name": "sgd", "rate": 0.01, "options": {}}, {"name": "adam", "rate": 0.1, "options": {"b1": 0.8}}]


@pytest.fixture
def page(url):
    with Page(url) as connected:
        yield connected


def test_paths_are_those_of_the_library(page, x64):
    header, arrays = page.ask("race/paths", surface="himmelblau", start=[0.5, -1.0], steps=60, methods=METHODS)
    rules = {"sgd": OPTIMIZERS["sgd"](0.01), "adam": OPTIMIZERS["adam"](0.1, b1=0.8)}
    ours = races.race(surface("himmelblau"), rules, start=(0.5, -1.0), steps=60)
    assert arrays["paths"].shape == (2, 61, len(header["columns"]))
    for row, name in zip(arrays["paths"], header["methods"], strict=True):
        column = dict(zip(header["columns"], row.T, strict=True))
        path = ours[name]
        for found, expected in (("x", path.w[:, 0]), ("y", path.w[:, 1]), ("loss", path.loss), ("gx", path.gradient[:, 0])):
            np.testing.assert_allclose(column[found], expected, rtol=1e-6, atol=1e-9)  # float32 of a longer program's float64
        np.testing.assert_allclose(column["ux"], path.update[:, 0], rtol=1e-6, atol=1e-9)
    assert np.isnan(arrays["paths"][0, :, header["columns"].index("mx")]).all()  # sgd has no velocity


def test_a_race_on_each_surface_and_its_heights(page):
    header, arrays = page.ask("race/surface", surface="himmelblau")
    assert arrays["minima"].shape == (4, 2)
    assert arrays["heights"].shape == (limits.GRID, limits.GRID)
    assert set(header["rates"]) == set(races.RULES)
    assert header["low"] == pytest.approx(float(arrays["heights"].min()), abs=1e-6)
    about, _ = page.ask("race/about")
    assert [s["name"] for s in about["surfaces"]] == list(SURFACES)
    assert about["first"] == list(races.SEVEN)


def test_optax_lies_on_our_paths(page):
    header, arrays = page.ask("race/paths", surface="quadratic", steps=50, methods=[{"name": name} for name in races.SEVEN], optax=True)
    assert set(header["differences"]) == set(races.SEVEN)
    assert max(header["differences"].values()) < 1e-12
    assert arrays["optax"].shape == (7, 51, 2)


def test_an_expression_is_drawn_and_a_bad_one_is_explained(page):
    header, arrays = page.ask("race/surface", expression="x**2 + 2*y**2", x=[-1, 1], y=[-2, 2])
    assert header["x"] == [-1, 1]
    np.testing.assert_allclose(arrays["minima"], [[0, 0]], atol=1e-6)
    header, _ = page.ask("race/surface", expression="x^2")
    assert "write ** for a power" in header["error"]


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__mro__",
    "x.__class__",
    "[x for x in y]",
    "lambda: x",
    "9**9**9**9**9**9",
    "x" * 600,
    "(" * 300 + "x" + ")" * 300,
    "x**" * 150 + "x",
    "1e999999",
    "exec('x')",
    "x; y",
    "x\x00y",
    "sin",
    "sin(x, y)",
    "",
    " ",
    "x if y else x",
    "log(-1)",
    "1/0",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_expressions_get_an_error_or_a_surface(page, text):
    started = time.monotonic()
    header, _ = page.ask("race/surface", expression=text)
    assert "error" in header or header["name"] == "expression"
    assert "the server failed" not in header.get("error", "")
    assert time.monotonic() - started < 60
    assert page.ask("race/about")[0]["first"]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="xy0123456789.+-*/() sincoexplgqrtab_e'\"[]{}:;,\\=", max_size=60))
def test_random_expressions_never_fail_otherwise(text):
    from mlp_opt.expressions import parse_tree

    try:
        parse_tree(text)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some are expressions


keys = st.sampled_from([*tab.RACE, "id", "kind", "name", "rate"])
leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
json_values = st.recursive(leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=4), max_leaves=12)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(st.sampled_from([*tab.RACE, "method", "else"]), json_values, max_size=5))
def test_random_requests_are_read_or_refused_with_one_line(body):
    try:
        options = tab.read(body, ("method",))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most are refused, some are read
        return
    assert 1 <= options.steps <= limits.STEPS
    assert 1 <= len(options.optimizers) <= limits.METHODS


def test_malformed_messages_are_answered_and_the_page_goes_on(page):
    rng = random.Random(0)
    good = json.dumps({"id": 1, "kind": "race/paths", "surface": "himmelblau", "start": [1, 1]})
    texts = [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"race"',
        "{}",
        '{"id": 1}',
        '{"id": true, "kind": "x"}',
        '{"id": -1, "kind": "x"}',
        '{"id": NaN, "kind": "x"}',
    ]
    texts += ['{"id": 1, "kind": "race/paths", "steps": 1e400}', "[" * 30000, '{"id": 1, "kind": ' + '{"a":' * 8000]
    for _ in range(300):
        at = rng.randrange(len(good))
        texts.append(good[:at] + chr(rng.randrange(32, 1000)) + good[at + rng.randrange(3) :])
    for text in texts:
        page.socket.send(text)
        header, _ = page.hear()
        assert "error" in header or header["kind"] == "race/paths"
        assert "the server failed" not in header.get("error", "")
    page.socket.send(bytes(rng.randrange(256) for _ in range(100)))
    assert "error" in page.hear()[0]
    assert "unknown kind" in page.ask("race/none")[0]["error"]
    assert page.ask("race/about")[0]["first"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"surface": "himmelblau", "steps": limits.STEPS + 1}, "steps must be a whole number"),
        ({"surface": "himmelblau", "steps": 2.5}, "steps must be"),
        ({"surface": "himmelblau", "methods": []}, "methods must be a list"),
        ({"surface": "himmelblau", "methods": METHODS * 20}, "methods must be a list"),
        ({"surface": "himmelblau", "methods": METHODS * 2}, "different names"),
        ({"surface": "himmelblau", "methods": [{"name": "sdg"}]}, "did you mean 'sgd'"),
        ({"surface": "himmelblau", "methods": [{"name": "sgd", "rate": -1}]}, "learning rate of sgd"),
        ({"surface": "himmelblau", "methods": [{"name": "adam", "options": {"b1": 1.0}}]}, "b1"),
        ({"surface": "himmelblau", "methods": [{"name": "adam", "options": {"mu_dtype": 1.0}}]}, "mu_dtype"),
        ({"surface": "himmelblau", "start": [0, "1"]}, "start must be a number"),
        ({"surface": "himmelblau", "start": [1]}, "two numbers"),
        ({"surface": "himmelbau"}, "did you mean 'himmelblau'"),
        ({}, "name a surface"),
        ({"surface": "himmelblau", "expression": "x"}, "one of the two"),
        ({"expression": "x", "x": [1, -1]}, "domain of x"),
        ({"surface": "himmelblau", "seed": 1}, "unknown key 'seed'"),
        ({"surface": "himmelblau", "schedule": "none"}, "unknown schedule"),
        ({"surface": "quadratic", "condition": 0}, "condition must be"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(body, said):
    with tab.computing(), pytest.raises(InputError, match=re.escape(said)):
        tab.race_paths(body)


def test_too_long_a_message_closes_the_page_and_no_other(url, page):
    with Page(url) as other:
        other.socket.send("x" * (limits.MESSAGE + 1))
        with pytest.raises(ConnectionClosed):
            other.hear()
    assert page.ask("race/about")[0]["first"]


def test_the_latest_request_wins(page):
    page.ask("race/paths", surface="himmelblau", methods=METHODS)  # compiled
    last = [page.say("race/paths", surface="himmelblau", methods=METHODS, start=[k / 100, 0.0]) for k in range(100)][-1]
    heard = [page.hear()]
    while heard[-1][0]["id"] != last:
        heard.append(page.hear())
    ids = [header["id"] for header, _ in heard]
    assert ids == sorted(ids)
    assert len(ids) < 100  # some were replaced while they waited
    assert heard[-1][0]["start"] == [0.99, 0.0]


def test_a_slow_page_does_not_stall_another(url, page):
    page.ask("race/paths", surface="branin", methods=METHODS)
    with Page(url) as slow:
        for kind in ("race/basins", "race/heat"):
            slow.say(kind, surface="branin", methods=METHODS, method="adam", steps=1024)
        for k in range(5):
            page.ask("race/paths", surface="branin", methods=METHODS, start=[k / 10, 1.0])
        with pytest.raises(TimeoutError):
            slow.hear(0)  # still at work
        assert {slow.hear()[0]["kind"] for _ in range(2)} == {"race/basins", "race/heat"}


def test_dragging_the_start_and_the_sliders_compiles_nothing(page):
    def ask(k):
        methods = [{"name": "sgd", "rate": 0.01 + k / 1000}, {"name": "adam", "rate": 0.1, "options": {"b1": 0.8 + k / 100}}]
        return page.ask("race/paths", surface="booth", methods=methods, start=[k / 10, 1 + k], steps=100 + 20 * k)

    ask(0)
    before = races.paths._cache_size()
    for k in range(1, 6):
        ask(k)
    assert races.paths._cache_size() == before


def test_so_many_pages_and_no_more(monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    with serving() as address, Page(address) as one, Page(address) as two:
        with pytest.raises(InvalidStatus):
            Page(address)
        assert one.ask("race/about")[0]["first"] == two.ask("race/about")[0]["first"]
        one.socket.close()
        until = time.monotonic() + 20
        while True:  # until the server has noticed
            try:
                with Page(address) as three:
                    assert three.ask("race/about")[0]["first"]
                break
            except InvalidStatus:
                assert time.monotonic() < until
                time.sleep(0.05)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "file://"])
def test_another_sites_websocket_is_refused(url, origin):
    with pytest.raises(InvalidStatus) as refused:
        Page(url, origin=origin)
    assert refused.value.response.status_code == 403


def test_our_own_origin_is_welcome(url):
    with Page(url, origin=url.rstrip("/")) as page:
        assert page.ask("race/about")[0]["first"]


def fetch(url, path, host=None, method="GET", body=None, origin=None):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    headers = ({"Host": host} if host else {}) | ({"Origin": origin} if origin else {})
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


def test_a_name_that_points_here_is_refused(url):
    assert fetch(url, "/")[0] == 200
    assert fetch(url, "/", host="evil.example")[0] == 403
    assert fetch(url, "/", host="localhost:9999")[0] == 200  # a forwarded port
    assert fetch(url, "/bake", method="POST", body="{}")[0] == 403  # no origin
    assert fetch(url, "/static/../app.py")[0] == 404
    assert "default-src 'none'" in fetch(url, "/")[2]["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "fits"),
    [("localhost", True), ("localhost:80", True), ("127.0.0.1:8765", True), ("[::1]:8765", True), ("[::1]", True), ("192.168.0.7:1", True),
     ("", False), ("evil.example", False), ("localhost.evil.example:80", False), ("127.0.0.1.evil.example", False), ("lab:8765", True)],
)  # fmt: skip
def test_trusted_hosts(host, fits):
    assert app.trusted(host, "lab") is fits


def test_frames_carry_numbers_as_they_are():
    reply = messages.Reply(
        {"a": float("nan"), "b": [1.5, float("inf")], "c": np.float64(2)}, {"v": np.arange(6.0).reshape(2, 3), "w": np.array([1e300])}
    )
    header, arrays = messages.unpack(messages.frame(3, "k", reply))
    assert (header["id"], header["kind"], header["a"], header["b"], header["c"]) == (3, "k", None, [1.5, None], 2.0)
    np.testing.assert_array_equal(arrays["v"], np.arange(6).reshape(2, 3))
    assert np.isinf(arrays["w"]).all()


REBUILT = {  # the step from the values that the states show
    "sgd": lambda v, a: -a * v["g"], "momentum": lambda v, a: v["m_kept"] - a * v["g"],
    "nesterov": lambda v, a: -a * (v["g"] + v["mu"][:, None] * v["m"]), "adagrad": lambda v, a: -a * v["g"] / v["root"],
    "rmsprop": lambda v, a: -a * v["g"] / v["root"], "adadelta": lambda v, a: -a * v["ratio"] * v["g"],
    "adam": lambda v, a: -a * v["m_hat"] / v["root"],
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_an_update_step_by_step_is_the_update(name, x64):
    optimizer = races.make(name, races.default_rate(surface("rosenbrock"), name))
    path = races.race(surface("rosenbrock"), {name: optimizer}, start=(-1.0, 1.2), steps=30)[name]
    states, values = explain(name, optimizer, path)
    np.testing.assert_allclose(REBUILT[name](values, values["alpha"][:, None]), path.update, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(values["w_next"][:-1], path.w[1:], rtol=1e-12)
    for state in states:
        assert values[state.result].shape == (31, 2)
        assert set(re.findall(r"\{(\w+)\}", state.filled)) <= set(values)
    if path.v is not None:
        np.testing.assert_array_equal(values["v_old"][1:], path.v[:-1])


def test_a_schedule_is_in_the_explained_rate():
    with tab.computing():
        body = {"surface": "booth", "methods": METHODS, "schedule": "cosine", "steps": 40, "method": "sgd"}
        alpha = tab.step_by_step(body).arrays["alpha"]
    assert alpha[0] == pytest.approx(0.01)
    assert alpha[-1] == pytest.approx(0, abs=1e-9)


def test_expressions_are_forgotten_after_a_while():
    """In a process of its own, which has not compiled what other tests will need again."""
    code = """if True:
        from mlp_opt.web import limits, programs
        from mlp_opt.web import race as tab

        limits.PROGRAMS = 2
        with tab.computing():
            for k in range(4):
                tab.surface({"expression": f"x**2 + {'y*' * k}y"})
                print(len(programs._compiled))
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.split() == ["1", "2", "0", "1"], run.stderr


@pytest.mark.implicit_promotion
def test_the_page_is_one_file_with_everything_in_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache")))
    file = tmp_path / "new" / "race.html"
    assert cli.main(["race", "booth", "--html", str(file), "--optimizers", "sgd,adam", "--steps", "20", "--basins", "--fair"]) == 0
    assert str(file) in capsys.readouterr().out
    html = file.read_text()
    frames = json.loads(re.search(r'id="baked">(.*?)</script>', html, re.DOTALL)[1])["frames"]
    assert set(frames) == {
        "race/about:", "race/surface:", "race/paths:", "race/explain:sgd", "race/explain:adam", "race/basins:sgd", "race/basins:adam",
        "race/fair:",
    }  # fmt: skip
    assert not re.search(r'(src|href)="(?!data:|#)', html)  # nothing is fetched
    assert cli.main(["race", "booth", "--html", str(file), "--out", "x"]) == 2
    assert cli.main(["race", "both", "--html", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_a_fair_comparison_is_the_librarys():
    with tab.computing():
        reply = tab.fair({"surface": "booth", "methods": METHODS, "steps": 30})
        builds = {"sgd": OPTIMIZERS["sgd"], "adam": lambda rate: OPTIMIZERS["adam"](rate, b1=0.8)}
        ours = fairness.fair(surface("booth"), builds, 30)
        with pytest.raises(InputError, match="no lowest loss"):
            tab.fair({"surface": "saddle", "methods": METHODS})
    assert {name: one["rate"] for name, one in reply.header["results"].items()} == {name: one.rate for name, one in ours.items()}
    np.testing.assert_allclose(reply.arrays["tuned"][1], ours["adam"].tuning[:, 1], rtol=1e-12)


def test_baking_over_the_wire(url):
    origin = url.rstrip("/")
    asked = {"race": {"surface": "booth", "methods": METHODS, "steps": 20}, "hash": "race?s=booth</script>", "maps": [["heat", "adam"]]}
    status, html, _ = fetch(url, "/bake", method="POST", body=json.dumps(asked), origin=origin)
    assert status == 200
    assert html.count("</script>") == 3
    for bad in ("{", "[]", json.dumps(asked | {"maps": [["none", "adam"]]}), json.dumps({"race": {"surface": "no"}}), "[" * 60000):
        status, text, _ = fetch(url, "/bake", method="POST", body=bad, origin=origin)
        assert status == 400
        assert "\n" not in text
    assert fetch(url, "/bake", method="POST", body="x" * (limits.MESSAGE + 10), origin=origin)[0] == 413


def test_the_animation_over_the_wire(url):
    asked = {"race": {"surface": "booth", "methods": METHODS, "steps": 3}}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    connection.request("POST", "/gif", json.dumps(asked), {"Origin": url.rstrip("/")})
    frames = Image.open(io.BytesIO(connection.getresponse().read()))
    connection.close()
    assert frames.format == "GIF"
    assert frames.n_frames >= 4
    assert fetch(url, "/gif", method="POST", body='{"race": 1}', origin=url.rstrip("/"))[0] == 400


def test_a_package_that_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr("mlp_opt.commands.serve.PACKAGES", ("no_such_package",))
    assert cli.main(["serve"]) == 2
    assert "no_such_package, which is not installed: pip install 'mlp-opt[web]'" in capsys.readouterr().err


def test_a_port_that_is_taken():
    first = serve.listen("127.0.0.1", None)
    second = serve.listen("127.0.0.1", None)
    try:
        port = second.getsockname()[1]
        assert port != first.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}"):
            serve.listen("127.0.0.1", port)
        with pytest.raises(InputError, match="70000"):
            serve.listen("127.0.0.1", 70000)
    finally:
        first.close()
        second.close()


def test_the_command_serves_until_ctrl_c():
    command = [sys.executable, "-m", "mlp_opt", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        address = re.match(r"(http://127\.0\.0\.1:\d+/)", line)[1]
        assert fetch(address, "/")[0] == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""


def test_computing_is_in_float64_on_the_cpu():
    with tab.computing():
        assert jax.numpy.ones(()).dtype == np.float64
        assert {d.platform for d in jax.numpy.ones(()).devices()} == {"cpu"}


def test_the_slow_kinds_named_are_those_of_the_tabs():
    tabs = [import_module(f"mlp_opt.web.{name}") for name in app.TABS]
    assert sorted(app.SLOW_KINDS) == sorted(kind for each in tabs for kind in each.SLOW)
    assert len(app.handlers()) == sum(len(each.QUICK) + len(each.SLOW) for each in tabs)  # no name twice
