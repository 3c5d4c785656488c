"""The network in the browser equals the one in Python: probabilities, influence, sampling, in headless Chromium."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browsing import chromium, complaints, requests, size, wait
from recurra.config import ModelConfig
from recurra.engines.kernels.choice import least_weight, weigh
from recurra.model import LanguageModel
from recurra.network import network
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize
from recurra.report.document import write_report
from recurra.system.random_streams import stream
from recurra.text.vocabulary import Vocabulary
from recurra.web.assets import script
from recurra.web.packed_model import pack
from run_folder import write_run

pytestmark = pytest.mark.browser
TEXT = "a bad cab, é😀\n\tfed a bee; ab" * 3
KINDS = [(cell, activation) for cell, spec in CELLS.items() for activation in spec.activations]
LAYERS = [1, 2]
HARNESS = script("report.js") + "\nObject.assign(window, modules.model, modules.sampling);"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    page = tmp_path_factory.mktemp("harness") / "page.html"
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><script type="module">{HARNESS}</script>', encoding="utf-8")
    with chromium() as driver:
        driver.get(page.as_uri())
        wait(lambda: driver.execute_script("return typeof unpack === 'function'"), "the harness")
        yield driver


def make_model(cell: str, activation: str, layers: int, *, is_bytes: bool = False) -> LanguageModel:
    """Return a model with weights so large that gates close and units saturate, and without zero biases."""
    config = ModelConfig(cell=cell, activation=activation, layers=layers, hidden_size=17)
    vocabulary = Vocabulary.bytes() if is_bytes else Vocabulary.of(TEXT)
    parameters = initialize(config, len(vocabulary), seed=5, scale=0.15 if activation == "relu" else 0.5)
    for name, array in parameters.items():
        if array.ndim == 1:
            array += stream(7, name).normal(array.size).astype(np.float32)
    return LanguageModel(config, vocabulary, parameters)


def call(driver: Any, model: LanguageModel, body: str, *arguments: Any) -> Any:
    data = base64.b64encode(pack(model)).decode()
    return driver.execute_script(
        f"const model = unpack(fromBase64(arguments[0])); const rest = Array.from(arguments).slice(1); {body}",
        data,
        *arguments,
    )


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize(("cell", "activation"), KINDS)
def test_log_probabilities_equal_those_of_python(browser: Any, cell: str, activation: str, layers: int) -> None:
    model = make_model(cell, activation, layers)
    body = """const { ids } = model.vocabulary.encode(rest[0]);
        return model.readAll(ids).slice(1).map((state) => Array.from(model.logProbabilities(state)));"""
    found = np.array(call(browser, model, body, TEXT))
    ids = model.vocabulary.encode(TEXT).astype(np.int64)[:, np.newaxis]
    by_reference = network.forward(model.config, model.parameters, ids, model.zero_state()).log_probabilities[:, 0]
    assert np.abs(found - by_reference).max() < 1e-10
    # `score` computes the loss of each character but the first in float32 with the kernels.
    losses = model.score(TEXT).losses
    assert losses is not None
    costs = losses[1:]
    assert np.allclose(-found[np.arange(len(ids) - 1), ids[1:, 0]], costs, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize(("cell", "activation"), KINDS)
def test_influence_is_the_norm_of_the_input_gradient(browser: Any, cell: str, activation: str, layers: int) -> None:
    model = make_model(cell, activation, layers)
    ids = model.vocabulary.encode(TEXT[:30]).astype(np.int64)[:, np.newaxis]
    body = "return model.influence(model.readAll(rest[0]), rest[1], rest[2]);"
    found = call(browser, model, body, ids[:, 0].tolist(), 4, 100)
    parameters = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    passed = network.forward(model.config, parameters, ids, model.zero_state())
    targets = np.full_like(ids, -1)
    targets[-1] = 4
    expected = np.linalg.norm(network.backward(model.config, parameters, passed, targets).inputs[:, 0], axis=-1)[::-1]
    assert expected.min() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert call(browser, model, body, ids[:, 0].tolist(), 4, 7) == found[:7]


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize(("cell", "activation"), KINDS)
def test_model_of_lines_resets_its_state_at_each_line(browser: Any, cell: str, activation: str, layers: int) -> None:
    plain = make_model(cell, activation, layers)
    model = LanguageModel(plain.config, plain.vocabulary, plain.parameters, "lines")
    ids = model.vocabulary.encode(TEXT).tolist()
    body = """const states = model.readAll(rest[0], model.beginning());
        const costs = rest[0].slice(1).map((id, at) => -model.logProbabilities(states[at + 1])[id]);
        return [model.firstCost(rest[0][0]), ...costs];"""
    costs = model.score(TEXT).losses
    assert costs is not None
    assert np.abs(np.array(call(browser, model, body, ids)) - costs).max() < 1e-5

    line = TEXT.rindex("\n")  # characters before the last line have no influence
    body = "return model.influence(model.readAll(rest[0]), rest[1], 100, rest[0]);"
    found = call(browser, model, body, ids, 4)
    alone = call(browser, plain, body, ids[line:], 4)
    np.testing.assert_allclose(found[: len(alone)], alone, rtol=1e-9)
    assert found[len(alone) :] == [0] * (len(ids) - len(alone))


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "min_p"),
    [
        (1, 0, 1, 0),
        (0.5, 0, 1, 0),
        (1.7, 5, 1, 0),
        (1, 0, 0.6, 0),
        (0.8, 0, 1, 0.3),
        (1.3, 9, 0.7, 0.05),
        (0, 3, 0.5, 0.1),
    ],
)
def test_sampling_filters_equal_those_of_the_kernel(
    browser: Any, temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    logs = np.log(np.array([0.3, 0.02, 0.2, 0.02, 0.1, 0.1, 0.05, 0.05, 0.06, 0.1]))
    settings = {"temperature": temperature, "topK": top_k, "topP": top_p, "minP": min_p}
    found = browser.execute_script(
        "return Array.from(shaped(Float64Array.from(arguments[0]), arguments[1]))", logs.tolist(), settings
    )
    weights = np.full((1, 32), -np.inf, np.float32)
    weights[0, : len(logs)] = logs
    if temperature == 0:
        expected = (logs == logs.max()).astype(float)
    else:
        weigh(weights, np.float32(temperature))
        least = least_weight(weights, len(logs), top_k, top_p, np.float32(min_p))
        kept = weights[0, : len(logs)] * (weights[0, : len(logs)] >= least)
        expected = kept / kept.sum()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_model_of_bytes_reads_utf8(browser: Any) -> None:
    model = make_model("elman", "tanh", 1, is_bytes=True)
    body = "const v = model.vocabulary; const { ids } = v.encode(rest[0]); return [ids, v.decode(ids), v.shown(0xc3)];"
    assert call(browser, model, body, "é😀") == [list("é😀".encode()), "é😀", "\\xc3"]


def test_encode_returns_unknown_characters(browser: Any) -> None:
    body = "return model.vocabulary.encode(rest[0]);"
    found = call(browser, make_model("gru", "tanh", 1), body, "aXbYX")
    assert found["unknown"] == ["X", "Y"]
    assert found["symbols"] == ["a", "b"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[LanguageModel, Path]:
    """The report of a run whose model can generate markup."""
    folder = write_run(tmp_path_factory.mktemp("report") / "fable")
    config, vocabulary = (
        ModelConfig(hidden_size=12),
        Vocabulary.of("<script>alert(1)</script>\n <img src=x onerror=\x1b"),
    )
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=2.0))
    (folder / "checkpoints").mkdir()
    model.save(folder / "checkpoints" / "best.safetensors")
    return model, write_report([folder], folder / "report.html")


def test_report_generates_text_offline_without_active_content(browser: Any, report: tuple[LanguageModel, Path]) -> None:
    model, path = report
    size(browser, 1366, 768)
    requests(browser)
    browser.get(path.as_uri())
    box = wait(lambda: browser.find_elements("css selector", ".panel-next textarea"), "the box")[0]
    box.clear()
    box.send_keys("<img src=x onerror=alert(1)>")
    expected = most_probable(model, "<img src=x onerror=alert(1)>")
    first = ".bars li:first-child .choice"
    wait(lambda: expected in browser.find_element("css selector", first).get_attribute("aria-label"), expected)
    elements = browser.execute_script("return document.querySelectorAll('img, iframe, main script[src]').length")
    browser.find_element("css selector", ".panel-next .main").click()
    written = browser.find_element("css selector", ".written")
    wait(lambda: len(written.get_attribute("textContent")) > 400, "the generated text")
    assert (
        browser.execute_script("return document.querySelectorAll('img, iframe, main script[src]').length")
        == elements
        == 0
    )
    assert written.find_elements("css selector", "img, script, iframe") == []
    assert "\x1b" not in written.get_attribute("textContent")
    assert written.find_elements("css selector", ".control")
    assert complaints(browser) == []
    assert {address for address in requests(browser) if not address.startswith("data:")} == {path.as_uri()}


def most_probable(model: LanguageModel, text: str) -> str:
    """Return the beginning of the label of the first bar, computed in Python."""
    ids = model.vocabulary.encode("\n" + text).astype(np.int64)[:, np.newaxis]
    shares = np.exp(network.forward(model.config, model.parameters, ids, model.zero_state()).log_probabilities[-1, 0])
    symbol = model.vocabulary.symbols[int(shares.argmax())]
    names = {" ": "space", "\n": "new line", "\x1b": "“\\x1b”"}
    return f"{names.get(symbol, f'“{symbol}”')}: {round(100 * shares.max())} %"


def test_report_contains_the_weights_of_the_model(report: tuple[LanguageModel, Path]) -> None:
    model, path = report
    text = path.read_text(encoding="utf-8")
    weights = text.split('class="weights">')[1].split("<")[0]
    assert base64.b64decode(weights) == pack(model, None, "model file")
    json.loads(text.split('class="data">')[1].split("<")[0])


def test_every_panel_of_a_report_has_an_answer(browser: Any, report: tuple[LanguageModel, Path]) -> None:
    model, path = report
    size(browser, 1366, 768)
    browser.get(path.as_uri())
    text = browser.execute_script(
        "return [...document.querySelectorAll('.panel-surprise .page')].map((n) => n.textContent)"
    )
    known = {symbol for symbol in "The best passage <i>of all</i>" if symbol in model.vocabulary.symbols}
    assert set(text[0].replace("¶\n", "\n")) <= known
    answers = {
        "next": "Most probable",
        "math": "compares them with those from Python. The table of the gradients is above.",
        "learning": "3.03 bits per character",
        "writes": "After 4,000 updates",
        "surprise": "bits per character",
        "neuron": "correlates most with",
        "memory": "Half of the influence",
    }

    def has_words(name: str, words: str) -> bool:
        return words in browser.find_element("css selector", f".panel-{name}").get_attribute("textContent")

    for name, words in answers.items():
        wait(partial(has_words, name, words), f"{name}: {words}")
    score = model.score("".join(symbol for symbol in "The best passage <i>of all</i>" if symbol in known))
    answer = browser.find_element("css selector", ".panel-surprise .answer b").text
    assert answer == f"{score.bits_per_character:.2f} bits per character"
    assert "✓ This page agrees with Python" in browser.find_element("css selector", ".badge").text
    assert complaints(browser) == []


def test_keyboard_zooms_and_reads_charts(browser: Any, report: tuple[LanguageModel, Path]) -> None:
    browser.get(report[1].as_uri())
    plot = wait(lambda: browser.find_elements("css selector", ".panel-learning .plot .line.first"), "the line") and (
        browser.find_element("css selector", ".panel-learning .plot")
    )
    readout = browser.find_element("css selector", ".panel-learning .readout")
    plot.send_keys("\ue014")  # arrow right
    wait(lambda: readout.text.startswith("updates "), "the values at the pointer")
    labels = [tick.text for tick in plot.find_elements("css selector", ".tick.middle")]
    plot.send_keys("+")
    button = browser.find_element("css selector", ".panel-learning .tools button")
    wait(lambda: [t.text for t in plot.find_elements("css selector", ".tick.middle")] != labels, "a narrower range")
    assert button.is_displayed()
    plot.send_keys("0")
    wait(lambda: [t.text for t in plot.find_elements("css selector", ".tick.middle")] == labels, "the whole range")
    assert not button.is_displayed()
