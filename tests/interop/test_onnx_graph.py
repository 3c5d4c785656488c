"""onnxruntime computes the same numbers from an export, for whole texts and parts, for one text and many."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import recurra
from networks import CONFIGS, H, bible_ids, bible_log_probabilities, make, name_of, of_bible, small
from recurra.config import ModelConfig
from recurra.errors import UsageError
from recurra.interop import onnx_graph
from recurra.text.vocabulary import Vocabulary

onnx: Any = pytest.importorskip("onnx", reason="the export is by the package onnx")


def session(model: recurra.LanguageModel) -> Any:
    runtime: Any = pytest.importorskip("onnxruntime", reason="what runs the graph")
    return runtime.InferenceSession(onnx_graph.to_bytes(model), providers=["CPUExecutionProvider"])


def zeros(config: ModelConfig, batch: int = 1) -> dict[str, Any]:
    names = "hc" if config.cell == "lstm" else "h"
    return {name: np.zeros((config.layers, batch, config.hidden_size), np.float32) for name in names}


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_onnxruntime_computes_the_same_log_p_of_10000_characters(config: ModelConfig) -> None:
    run = session(of_bible(config))
    result, *_ = run.run(None, {"ids": bible_ids()[:-1, np.newaxis], **zeros(config)})
    expected = bible_log_probabilities(config)
    assert result.shape == (10_000, 1, len(of_bible(config).vocabulary))
    np.testing.assert_allclose(result[:, 0], expected, rtol=0, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.1  # the numbers depend on the text


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_parts_with_carried_state_equal_the_whole_text(config: ModelConfig) -> None:
    run = session(of_bible(config))
    ids = bible_ids()[:90].reshape(3, 30).T  # three texts in parallel
    whole, *last = run.run(None, {"ids": ids, **zeros(config, 3)})
    state, parts = zeros(config, 3), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 30)):
        part, *fields = run.run(None, {"ids": ids[start:stop], **state})
        parts.append(part)
        state = dict(zip(state, fields, strict=True))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-6)
    for field, end in zip(state.values(), last, strict=True):
        np.testing.assert_allclose(field, end, rtol=0, atol=1e-6)
    model = of_bible(config)
    expected, ended = model.reader.log_probabilities(ids, model.zero_state(3))
    np.testing.assert_allclose(whole, expected, rtol=0, atol=1e-5)
    for end, field in zip(last, ended, strict=True):
        assert end.shape == (config.layers, 3, H)
        np.testing.assert_allclose(end, field, rtol=0, atol=1e-5)


def test_file_is_valid_and_has_metadata() -> None:
    model = small(ModelConfig(cell="gru", hidden_size=5, layers=2))
    proto = onnx.load_from_string(onnx_graph.to_bytes(model))
    onnx.checker.check_model(proto, full_check=True)
    assert not [one for one in proto.graph.initializer if one.external_data]
    table = {one.key: one.value for one in proto.metadata_props}
    assert json.loads(table["vocabulary"]) == {c: i for i, c in enumerate(model.vocabulary.symbols)}
    assert (table["cell"], table["bytes"]) == ("gru", "false")
    nodes = [node.op_type for node in proto.graph.node]
    assert nodes.count("GRU") == 2
    assert [one.name for one in proto.graph.input] == ["ids", "h"]
    assert [one.name for one in proto.graph.output] == ["log_probabilities", "h_out"]
    assert [side.dim_param for side in proto.graph.input[0].type.tensor_type.shape.dim] == ["T", "B"]


def test_model_of_bytes_has_256_symbols() -> None:
    model = make(ModelConfig(cell="lstm", hidden_size=5), Vocabulary.bytes())
    ids = np.arange(256)[:, np.newaxis]
    result, *_ = session(model).run(None, {"ids": ids, **zeros(model.config)})
    expected = model.reader.log_probabilities(ids[:, 0], model.zero_state())[0]
    np.testing.assert_allclose(result[:, 0], expected, rtol=0, atol=1e-5)


def test_equal_models_give_equal_files() -> None:
    assert onnx_graph.to_bytes(small()) == onnx_graph.to_bytes(small())


def test_model_above_2_gb_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "MAX_WEIGHT_BYTES", 4 * 100)
    with pytest.raises(UsageError, match="the model has more than 2 GB: an ONNX file cannot hold it"):
        onnx_graph.to_bytes(small())
