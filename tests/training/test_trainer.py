"""The training loop: the order of the text, the hidden state, the events, the best model and its checkpoints."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processes import PATIENCE
from recurra.config import ModelConfig, configs
from recurra.engines.engine import Start
from recurra.engines.fused import FusedEngine
from recurra.errors import NumericalError, TextError, UsageError
from recurra.model import LanguageModel
from recurra.network import network, optimizers
from recurra.network.parameters import digest, initialize
from recurra.runs.run import train
from recurra.system.random_streams import stream
from recurra.text.reading import from_string
from recurra.text.streams import STREAMS
from recurra.text.vocabulary import Vocabulary
from recurra.training.events import (
    Calibrating,
    Checkpointed,
    EpochEnded,
    Evaluated,
    Event,
    Gathering,
    Progress,
    Record,
    Sampled,
    Saving,
)
from recurra.training.snapshot import Snapshot
from recurra.training.trainer import Trainer
from small_training import SETTINGS, TEXT, K, T, committed, make_trainer, of_kind

SHORT = TEXT[:23]  # (23 - 1) // 5 = 4 updates per epoch; the last two characters are not read
HARD = "".join("abcde \n"[int(7 * u)] for u in stream(9, "text").uniform(400))
LINES = "".join(line * (i % 3) + "\n" for i, line in enumerate(TEXT.splitlines() * 3))  # some empty, some long
UNEVEN = "ab" * 200 + HARD  # an easy half and a hard half: the smooth loss falls and then rises


def run(trainer: Trainer) -> list[Event]:
    return list(trainer.events())


def sha(trainer: Trainer) -> str:
    return digest(trainer.engine.parameters())


def by_hand(text: str, updates: int, *, layers: int = 1, batch: int = 1) -> tuple[dict[str, Any], list[float]]:
    """Train with a plain loop: B streams, h = 0 at the start of an epoch, AdaGrad. Return the weights and losses."""
    config = ModelConfig(hidden_size=8, layers=layers)
    ids = Vocabulary.of(text).encode(text).astype(np.int64)
    parameters = initialize(config, len(set(text)), seed=0)
    theta: dict[str, Any] = {name: array.astype(np.float64) for name, array in parameters.items()}
    sums = {name: np.zeros_like(array) for name, array in theta.items()}
    part = (len(ids) - 1) // batch  # characters of each stream
    losses, state = [], network.zero_state(config, batch)
    place = part  # so that the first update starts an epoch
    for _ in range(updates):
        if place + T > part:
            place, state = 0, network.zero_state(config, batch)
        columns = [ids[b * part + place : b * part + place + T + 1] for b in range(batch)]
        chunk = np.array(columns).T
        loss, gradients, state = network.loss_and_gradients(config, theta, chunk[:-1], chunk[1:], state)
        losses.append(loss)
        for name in theta:
            g = np.clip(gradients[name], -5, 5)
            sums[name] += g * g
            theta[name] = theta[name] - float(np.float32(0.1)) * g / np.sqrt(sums[name] + optimizers.ADAGRAD_EPSILON)
        place += T
    return theta, losses


@pytest.mark.parametrize("log_every", [1, 3, 1000])
def test_reference_engine_equals_hand_written_training(log_every: int) -> None:
    trainer = make_trainer(SHORT, engine="reference", updates=11, log_every=log_every)
    events = run(trainer)
    expected, losses = by_hand(SHORT, 11)
    for name, array in expected.items():
        assert np.array_equal(trainer.engine.parameters()[name], array), name
    assert [(e.epoch, e.update) for e in of_kind(events, EpochEnded)] == [(1, 4), (2, 8)]
    means = [sum(losses[i : i + 4]) / (4 * T) for i in (0, 4)]
    assert [e.nats_per_character for e in of_kind(events, EpochEnded)] == pytest.approx(means, rel=1e-14)
    assert trainer.stream.cursor == (2, 3)


@pytest.mark.parametrize(("layers", "batch"), [(2, 1), (1, 3), (2, 3)])
def test_layers_and_batches_equal_hand_written_training(layers: int, batch: int) -> None:
    # 191 // 3 = 63 characters per stream and 12 updates per epoch: 30 updates end in the third epoch.
    trainer = make_trainer(layers=layers, batch_size=batch, updates=30, engine="reference")
    events = run(trainer)
    assert trainer.engine.name == "reference"
    expected, losses = by_hand(TEXT, 30, layers=layers, batch=batch)
    for name, array in expected.items():
        assert np.array_equal(trainer.engine.parameters()[name], array), name
    records = of_kind(events, Record)
    assert [r.loss["mean"] for r in records] == pytest.approx([sum(losses[i : i + 10]) / 10 for i in (0, 10, 20)])
    assert trainer.characters_per_update == T * batch


def test_compiled_engine_equals_hand_written_training() -> None:
    trainer = make_trainer(SHORT, updates=11)
    run(trainer)
    assert trainer.engine.name == "compiled"
    expected, _ = by_hand(SHORT, 11)
    for name, array in expected.items():
        assert np.allclose(trainer.engine.parameters()[name], array, atol=1e-4), name


def test_state_is_carried_within_epoch_and_reset_at_its_start() -> None:
    trainer = make_trainer(SHORT, updates=3)
    run(trainer)
    assert trainer.engine.state().h.any()
    ids = Vocabulary.of(SHORT).encode(SHORT).astype(np.int64)
    engine = FusedEngine(trainer.config, trainer.training, Start(trainer.initial))
    for epoch_updates in (4, 4, 3):
        engine.zero_state()
        for i in range(0, epoch_updates * T, T):
            chunk = ids[i : i + T + 1].reshape(1, -1, 1)
            engine.train(chunk[:, :-1], chunk[:, 1:], np.full(1, 0.1, np.float32))
    whole = make_trainer(SHORT, updates=11)
    run(whole)
    assert sha(whole) == digest(engine.parameters())


@pytest.mark.parametrize(("batch", "layers"), [(1, 1), (3, 2)])
@pytest.mark.parametrize("order", ["sequential", "shuffled", "random"])
def test_every_order_gives_equal_results_on_all_engines(order: str, batch: int, layers: int) -> None:
    compiled, reference = (
        make_trainer(order=order, batch_size=batch, layers=layers, updates=30, seed=4, engine=engine)
        for engine in ("compiled", "reference")
    )
    records, expected = (of_kind(run(trainer), Record) for trainer in (compiled, reference))
    assert [r.loss["mean"] for r in records] == pytest.approx([r.loss["mean"] for r in expected], rel=1e-4)
    for name, array in reference.engine.parameters().items():
        assert np.allclose(compiled.engine.parameters()[name], array, atol=2e-4), name


@pytest.mark.parametrize("order", ["shuffled", "random"])
def test_sequences_in_random_order_start_from_zero_state(order: str) -> None:
    trainer = make_trainer(order=order, updates=90, seed=4, log_every=7)
    run(trainer)
    engine = FusedEngine(trainer.config, trainer.training, Start(trainer.initial))
    stream = STREAMS[order](Vocabulary.of(TEXT).encode(TEXT), T, 1, 4)
    for _ in range(90):
        engine.zero_state()
        engine.train(*stream.take(1), np.full(1, 0.1, np.float32))
    assert sha(trainer) == digest(engine.parameters())
    assert trainer.stream.cursor == stream.cursor == (2, 14)


@pytest.mark.parametrize(("cell", "batch", "layers"), [("elman", 1, 1), ("elman", 3, 2), ("lstm", 4, 1), ("gru", 4, 2)])
def test_documents_give_equal_results_on_all_engines(cell: str, batch: int, layers: int) -> None:
    compiled, reference = (
        make_trainer(LINES, documents="lines", cell=cell, batch_size=batch, layers=layers, updates=30, engine=engine)
        for engine in ("compiled", "reference")
    )
    records, expected = (of_kind(run(trainer), Record, EpochEnded) for trainer in (compiled, reference))
    for event, other in zip(records, expected, strict=True):
        if isinstance(event, Record):
            assert event.loss["mean"] == pytest.approx(other.loss["mean"], rel=1e-4)
        else:
            assert event.nats_per_character == pytest.approx(other.nats_per_character, rel=1e-4)
    for name, array in reference.engine.parameters().items():
        assert np.allclose(compiled.engine.parameters()[name], array, atol=2e-4), name


def test_documents_equal_hand_written_training() -> None:
    """Compare a batch of three lines with the three lines computed separately, each from a zero state."""
    trainer = make_trainer(
        "abba\nbe\n\nabed", documents="lines", batch_size=4, updates=1, engine="reference", log_every=1
    )
    (record,) = of_kind(run(trainer), Record)
    ids = trainer.vocabulary.encode
    total: dict[str, Any] = {name: np.zeros(array.shape) for name, array in trainer.initial.items()}
    loss = 0.0
    for line in ("abba", "be", "abed"):
        both = ids(f"\n{line}\n").astype(np.int64)[:, np.newaxis]
        line_loss, gradients, _ = network.loss_and_gradients(trainer.config, trainer.initial, both[:-1], both[1:])
        loss += line_loss
        for name, array in total.items():
            array += gradients[name]
    assert record.loss["mean"] == pytest.approx(loss / (5 + 3 + 5), rel=1e-12)
    assert trainer.history.epoch_means == [pytest.approx(loss / 13, rel=1e-12)]
    assert record.gradient_norm == pytest.approx(math.sqrt(sum(np.sum(g * g) for g in total.values())), rel=1e-12)


@pytest.mark.parametrize(("cell", "layers"), [("elman", 1), ("lstm", 2)])
def test_held_out_documents_are_scored_separately(cell: str, layers: int) -> None:
    trainer = make_trainer(LINES, documents="lines", cell=cell, layers=layers, batch_size=2, updates=20, validation=0.3)
    (evaluated,) = of_kind(run(trainer), Evaluated)[-1:]
    place = LINES.rindex("\n", 0, math.floor(len(LINES) * 0.7)) + 1
    ids = trainer.vocabulary.encode
    assert np.array_equal(trainer._train_ids[:], ids(LINES[:place]))
    lines = [line for line in LINES[place:].split("\n") if line]
    model = trainer.model()
    each = [model.evaluate(ids(f"\n{line}\n")) for line in lines]
    sizes = [len(line) + 1 for line in lines]
    expected = sum(mean * size for mean, size in zip(each, sizes, strict=True)) / sum(sizes)
    assert evaluated.validation == pytest.approx(expected, rel=1e-6)
    assert trainer.final_validation_loss() == trainer.validation_loss


@pytest.mark.parametrize("share", ["validation", "test"])
@pytest.mark.parametrize("length", [{"updates": 5}, {"time_limit": 0.1}])
def test_held_out_part_of_empty_lines_is_refused(share: str, length: dict[str, float], tmp_path: Path) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != "updates"}
    config, training = configs(settings | length | {"documents": "lines", share: 0.3})
    with pytest.raises(TextError, match="all held-out lines are empty") as raised:
        train(from_string(TEXT + "\n" * len(TEXT)), model=config, training=training, run=tmp_path / "run")
    assert raised.value.hint == f"give another `--{share}`."


def test_documents_after_empty_lines_are_trained() -> None:
    """Train on a text whose first lines, on which the kernels warm up, are empty."""
    trainer = make_trainer("\n\n\n" + TEXT, documents="lines", updates=2, sample_every=1)
    assert of_kind(list(trainer.events()), Progress)[-1].update == 2


def test_documents_need_newlines() -> None:
    with pytest.raises(TextError, match="the text has no newline"):
        make_trainer("ab" * 30, documents="lines")


def test_events_come_at_their_updates() -> None:
    trainer = make_trainer(updates=84, log_every=20, sample_every=30, validation=0.2)
    events = run(trainer)  # 153 characters: 30 updates per epoch
    due = [(type(e).__name__, e.update) for e in events if not isinstance(e, (Progress, Calibrating, Gathering))]
    due.remove(("Checkpointed", 0))  # its position depends on the speed of the disk
    assert due == [
        ("Sampled", 0), ("Saving", 0),
        ("Record", 20),
        ("EpochEnded", 30), ("Evaluated", 30), ("Record", 30), ("Sampled", 30),
        ("Record", 40),
        ("EpochEnded", 60), ("Evaluated", 60), ("Record", 60), ("Sampled", 60),
        ("Record", 80),
        ("Evaluated", 84), ("Record", 84),
        ("Saving", 84), ("Checkpointed", 84),
    ]  # fmt: skip
    records = {r.update: r for r in of_kind(events, Record)}
    evaluated = {e.update: e.validation for e in of_kind(events, Evaluated)}
    assert {update: record.validation for update, record in records.items() if record.validation} == evaluated
    assert records[40].epoch == pytest.approx(40 / 30)
    assert {r.rate for r in records.values()} == {float(np.float32(0.1))}
    assert [p.update for p in of_kind(events, Progress)] == [20, 30, 40, 60, 80, 84]
    assert {p.updates for p in of_kind(events, Progress)} == {84}


def test_evaluate_every_sets_updates_of_evaluations() -> None:
    events = run(make_trainer(updates=35, validation=0.2, evaluate_every=15))
    assert [e.update for e in of_kind(events, Evaluated)] == [15, 30, 35]


def test_evaluation_is_loss_on_held_out_tail() -> None:
    trainer = make_trainer(updates=40, validation=0.2, evaluate_every=40)
    (evaluated,) = of_kind(run(trainer), Evaluated)
    tail = trainer.vocabulary.encode(TEXT)[math.floor(len(TEXT) * 0.8) :]
    assert evaluated.validation == trainer.model().evaluate(tail)
    assert evaluated.best


def test_record_has_losses_since_last_record() -> None:
    _, losses = by_hand(TEXT, 25)
    first, second, third = of_kind(run(make_trainer(engine="reference", updates=25)), Record)
    for record, part in ((first, losses[:10]), (second, losses[10:20]), (third, losses[20:])):
        mean = sum(part) / len(part)
        assert record.loss == pytest.approx({"mean": mean, "min": min(part), "max": max(part)}, rel=1e-14)
    smooth = losses[0]
    for loss in losses[1:]:
        smooth = 0.999 * smooth + 0.001 * loss
    assert third.smooth_loss == pytest.approx(smooth, rel=1e-14)


def test_gradient_norm_of_record_is_mean() -> None:
    single = of_kind(run(make_trainer(updates=10, log_every=1)), Record)
    (record,) = of_kind(run(make_trainer(updates=10, log_every=10)), Record)
    assert record.gradient_norm == pytest.approx(sum(r.gradient_norm for r in single) / 10, rel=1e-14)
    assert record.gradient_norm > 0


def test_first_loss_is_ln_k_per_character() -> None:
    first = of_kind(run(make_trainer(updates=1, log_every=1)), Record)[0]
    assert first.smooth_loss == first.loss["mean"] == pytest.approx(T * math.log(K), rel=1e-3)


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_events_do_not_change_training(engine: str) -> None:
    quiet = make_trainer(updates=90, engine=engine, validation=0.2, sample_every=0, log_every=10**6, evaluate_every=89)
    expected = of_kind(run(quiet), Record)[-1]
    for log_every, sample_every, evaluate_every, checkpoint_every in (
        (1, 1, 1, 0.0),
        (7, 20, 0, 30.0),
        (90, 0, 13, 30.0),
    ):
        trainer = make_trainer(
            updates=90, engine=engine, validation=0.2, log_every=log_every, sample_every=sample_every,
            evaluate_every=evaluate_every, checkpoint_every=checkpoint_every,
        )  # fmt: skip
        last = of_kind(run(trainer), Record)[-1]
        assert sha(trainer) == sha(quiet)
        assert (last.smooth_loss, last.validation) == (expected.smooth_loss, expected.validation)
        assert trainer.history.epoch_means == quiet.history.epoch_means


def test_samples_are_of_the_model_at_their_update() -> None:
    trainer = make_trainer(updates=40, sample_every=20, seed=3)
    samples = of_kind(run(trainer), Sampled)
    assert [(s.update, s.seed, s.temperature) for s in samples] == [(0, 3, 1.0), (20, 23, 1.0), (40, 43, 1.0)]
    assert {len(s.text) for s in samples} == {12}
    initial = LanguageModel(trainer.config, trainer.vocabulary, trainer.initial)
    assert samples[0].text == initial.sample(max_new_tokens=12, seed=3)
    assert samples[2].text == trainer.model().sample(max_new_tokens=12, seed=43)
    assert of_kind(run(make_trainer(updates=40, sample_every=0)), Sampled) == []


def test_seed_of_sample_wraps_at_63_bits() -> None:
    events = run(make_trainer(updates=2, sample_every=1, seed=2**63 - 1))
    assert [s.seed for s in of_kind(events, Sampled)] == [2**63 - 1, 0, 1]


def test_best_model_has_lowest_smooth_loss_of_records() -> None:
    trainer = make_trainer(UNEVEN, updates=159, log_every=10)
    records = of_kind(run(trainer), Record)
    lowest = min(records, key=lambda record: record.smooth_loss)
    assert 10 < lowest.update < 150
    assert trainer.best is not None
    assert trainer.best.update == lowest.update
    assert trainer.selection.loss == lowest.smooth_loss
    until_then = make_trainer(UNEVEN, updates=lowest.update)
    run(until_then)
    assert digest(trainer.best.parameters) == sha(until_then) != sha(trainer)


def test_held_out_loss_selects_best_model() -> None:
    text = TEXT + "ace cab bed dad\n" * 3  # the held-out part has different word frequencies
    trainer = make_trainer(text, updates=600, learning_rate=0.5, validation=0.2, evaluate_every=25, log_every=25)
    events = run(trainer)
    evaluated, records = of_kind(events, Evaluated), of_kind(events, Record)
    lowest = min(evaluated, key=lambda e: e.validation)
    assert trainer.best is not None
    assert trainer.best.update == lowest.update < records[-1].update
    assert trainer.selection.loss == trainer.validation_loss == lowest.validation
    assert [e.best for e in evaluated] == [
        e.validation < min([math.inf, *(other.validation for other in evaluated[:i])]) for i, e in enumerate(evaluated)
    ]
    assert min(records, key=lambda r: r.smooth_loss).update != lowest.update


def test_best_snapshot_does_not_change_later() -> None:
    trainer = make_trainer(UNEVEN, updates=159, log_every=10)
    progress_of: dict[int, str] = {}
    arrays: dict[int, str] = {}
    for event in trainer.events():
        best = trainer.best
        if best is not None and isinstance(event, (Record, Progress)):
            progress_of.setdefault(best.update, json.dumps(best.progress))
            arrays.setdefault(best.update, digest(best.tensors()))
            assert json.dumps(best.progress) == progress_of[best.update]
            assert digest(best.tensors()) == arrays[best.update]
    assert trainer.best is not None
    progress = trainer.best.progress
    assert progress["best_update"] == progress["update"] == trainer.best.update
    assert progress["best_loss"] == trainer.selection.loss
    assert progress["history"]["window_updates"] == 0


def test_checkpoint_before_first_evaluation_has_no_loss() -> None:
    trainer = make_trainer(
        updates=60, log_every=20, sample_every=20, checkpoint_every=0.0, validation=0.2, evaluate_every=50
    )
    for event in trainer.events():
        if isinstance(event, Saving):
            json.dumps([s.progress for s, _ in committed(trainer)], allow_nan=False)
            if event.update < 50:
                assert trainer.validation_loss is None
    updates = [(snapshot.update, best and best.update) for snapshot, best in committed(trainer)]
    assert updates[:3] == [
        (0, 0),
        (20, 20),
        (30, 30),
    ]  # epoch 1 ends at 30; before an evaluation the newest model is the best
    assert updates[-1][0] == 60
    assert trainer.validation_loss is not None


def test_best_model_is_committed_only_with_a_checkpoint() -> None:
    trainer = make_trainer(UNEVEN, updates=100, checkpoint_every=0.0, sample_every=0)
    events = run(trainer)
    assert [e.update for e in of_kind(events, Checkpointed)] == list(range(0, 101, 10))
    commits = committed(trainer)[1:]
    bests = [best.update for _, best in commits if best is not None]
    assert bests == sorted(set(bests))
    lowest = math.inf
    for record, (snapshot, best) in zip(of_kind(events, Record), commits, strict=True):
        assert snapshot.update == record.update
        assert (best is not None) == (record.smooth_loss < lowest)
        lowest = min(lowest, record.smooth_loss)


def test_training_from_snapshot_gives_same_bits() -> None:
    trainer = make_trainer(updates=45, checkpoint_every=0.0, log_every=20, sample_every=0)
    events = trainer.events()
    while trainer.update < 40:
        next(events)
    snapshot = trainer.snapshot()
    list(events)
    again = make_trainer(updates=45, log_every=20, sample_every=0)
    start = Start(snapshot.parameters, snapshot.optimizer_state, snapshot.state, snapshot.update)
    again.engine = FusedEngine(again.config, again.training, start)
    again.stream.cursor = snapshot.progress["cursor"]
    again.history = type(again.history)(**snapshot.progress["history"])
    again.update = snapshot.update
    run(again)
    assert sha(again) == sha(trainer)
    assert again.history == trainer.history


def test_stop_saves_checkpoint_and_ends_training() -> None:
    seen: list[int] = []
    trainer = make_trainer(updates=100, checkpoint_every=0.0, should_stop=lambda: len(seen) == 3)
    events = []
    for event in trainer.events():
        events.append(event)
        if isinstance(event, Record):
            seen.append(event.update)
    assert trainer.stopped
    assert trainer.update == 30
    assert [snapshot.update for snapshot, _ in committed(trainer)] == [
        0,
        10,
        20,
        30,
    ]  # one checkpoint at the last update
    assert isinstance(events[-1], Checkpointed)


def test_zero_updates_save_initial_model() -> None:
    trainer = make_trainer(updates=0)
    assert [type(event) for event in run(trainer)] == [Sampled, Saving, Checkpointed]
    assert trainer.best is not None
    assert digest(trainer.best.parameters) == digest(trainer.initial)
    assert trainer.history.smooth is None
    assert not trainer.stopped
    assert trainer.seconds == 0


def test_losses_of_preset_classic_are_sums_except_with_documents() -> None:
    assert make_trainer().loss_span == T
    assert make_trainer(documents="lines").loss_span == 1


def test_tiny_text_is_memorized() -> None:
    text = "bad cab\nbed ace "
    trainer = make_trainer(text, updates=4000, log_every=1000, sample_every=0)
    run(trainer)
    assert trainer.history.epoch_means[0] > 1.5
    assert trainer.history.epoch_means[-1] < 0.005  # an untrained model has ln 7 = 1.95
    assert trainer.model().evaluate(trainer.vocabulary.encode(text)) < 0.005


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(("updates", "log_every"), [(1, 1), (5, 1), (50, 50)])
def test_step_to_infinity_is_numerical_error(engine: str, updates: int, log_every: int) -> None:
    trainer = make_trainer(updates=updates, log_every=log_every, learning_rate=1e39, engine=engine, sample_every=0)
    events: list[Event] = []
    with pytest.raises(NumericalError, match=r"became .+ at update \d; it must be") as caught:
        events += trainer.events()
    assert caught.value.exit_code == 5
    assert [snapshot.update for snapshot, _ in committed(trainer)] == [0]
    assert of_kind(events, Record) == []


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_parameters_beyond_float32_are_numerical_error(engine: str) -> None:
    trainer = make_trainer(
        updates=50, log_every=1, learning_rate=3e38, engine=engine, sample_every=0, checkpoint_every=0.0
    )
    with pytest.raises(NumericalError, match=r"became .+ at update \d+; it must be"):
        run(trainer)
    for snapshot, _ in committed(trainer):
        assert all(np.isfinite(array).all() for array in snapshot.tensors().values())


def test_initial_scale_beyond_float32_is_numerical_error() -> None:
    with pytest.raises(NumericalError, match=r"`layers.0.U` became inf at update 0; it must be a finite") as caught:
        make_trainer(initial_scale=1e39)
    assert (caught.value.update, caught.value.tensor) == (0, "layers.0.U")
    assert caught.value.hint == "train again with a lower `--initial-scale`."


def test_huge_initial_scale_makes_loss_not_finite() -> None:
    with pytest.raises(NumericalError, match=r"the loss became (nan|inf|-inf) at update 1; it must be finite"):
        run(make_trainer(initial_scale=1e38, sample_every=0))


def test_infinite_optimizer_state_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(updates=10, sample_every=0)
    squares = trainer.engine.optimizer_state() | {"squares.V": np.full((K, 8), np.inf, np.float32)}
    events = trainer.events()
    while not isinstance(next(events), Saving):
        pass
    monkeypatch.setattr(trainer.engine, "optimizer_state", lambda: squares)
    with pytest.raises(NumericalError, match=r"`squares.V` became inf at update 10; it must be"):
        list(events)
    assert [snapshot.update for snapshot, _ in committed(trainer)] == [0]


def test_nan_held_out_loss_is_numerical_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LanguageModel, "estimate", lambda *_: math.nan)
    with pytest.raises(NumericalError, match="the loss became nan on the held-out text at update 20"):
        run(make_trainer(updates=40, validation=0.2, evaluate_every=20))


@pytest.mark.parametrize(
    "settings",
    [{}, {"engine": "reference"}, {"cell": "lstm", "batch_size": 2, "ema": 0.9}, {"cell": "gru", "optimizer": "adam"}],
)
def test_training_continues_while_checkpoint_is_written(settings: dict[str, Any]) -> None:
    ahead, digests = threading.Event(), []

    def commit(snapshot: Snapshot, best: Snapshot | None) -> Path:
        assert ahead.wait(PATIENCE)
        digests.append(digest(snapshot.tensors()))
        return Path()

    trainer = make_trainer(updates=20, commit=commit, checkpoint_every=0.0, sample_every=0, **settings)
    seen, expected = [], []
    for event in trainer.events():
        if isinstance(event, Saving):
            expected.append(digest(trainer.snapshot().tensors()))
        if isinstance(event, Progress) and event.update > 0:
            ahead.set()
        seen.append((type(event), getattr(event, "update", None)))
    first = seen.index((Saving, 0))
    assert (seen[first + 1][1] or 0) > 0
    assert seen.index((Checkpointed, 0)) > first + 1
    assert seen[-2:] == [(Saving, 20), (Checkpointed, 20)]
    assert digests == expected


def test_failed_commit_ends_training() -> None:
    def commit(*snapshots: object) -> None:
        raise UsageError("no room.")

    with pytest.raises(UsageError, match="no room"):
        run(make_trainer(commit=commit))
