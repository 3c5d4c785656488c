"""A model used by several threads at once computes the same bits as with one thread."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra import LanguageModel, ModelConfig, SamplingConfig, Vocabulary
from recurra.compression import model_codec
from recurra.engines.kernels import softmax
from recurra.network.cells import CELLS
from recurra.network.parameters import initialize
from recurra.report.drawing import PAPER, style
from recurra.system.random_streams import stream

VOCABULARY = Vocabulary.of("\n abcdefgh")
THREADS = 8


def make_model(cell: str) -> LanguageModel:
    config = ModelConfig(cell=cell, hidden_size=12)
    return LanguageModel(config, VOCABULARY, initialize(config, len(VOCABULARY), seed=1, scale=0.8))


def make_text(seed: int, length: int = 600) -> str:
    """Return random characters, one of them outside the vocabulary."""
    ids = (stream(seed, "text").uniform(length) * len(VOCABULARY)).astype(int)
    return VOCABULARY.decode(ids) + "é\nab"


@pytest.fixture(params=CELLS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return make_model(request.param)


@pytest.fixture
def _many_switches() -> Iterator[None]:
    """Make Python switch threads as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_interleaved_calls_give_same_bits(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second thread scores a text of equal length after the first thread has filled its scratch memory."""
    texts = [make_text(1), make_text(2)]
    expected = [model.score(text).nats for text in texts]
    log_softmax, interrupted = softmax.log_softmax, threading.Lock()
    with ThreadPoolExecutor(1) as pool:

        def interrupt_once(*arguments: Any) -> None:
            if interrupted.acquire(blocking=False):
                assert pool.submit(model.score, texts[1]).result(timeout=60).nats == expected[1]
            log_softmax(*arguments)

        monkeypatch.setattr(softmax, "log_softmax", interrupt_once)
        assert model.score(texts[0]).nats == expected[0]
    assert interrupted.locked()


def packed(model: LanguageModel, data: bytes) -> bytes:
    target = io.BytesIO()
    model_codec.compress(model, io.BytesIO(data), target)
    return target.getvalue()


def unpacked(model: LanguageModel, data: bytes) -> bytes:
    target = io.BytesIO()
    model_codec.decompress(model, io.BytesIO(data), target)
    return target.getvalue()


def there_and_back(model: LanguageModel, text: str) -> tuple[bytes, bytes]:
    words = packed(model, text.encode())
    return words, unpacked(model, words)


def gradients_of(model: LanguageModel, text: str) -> list[bytes]:
    ids = model.vocabulary.encode_known(text)[0][:41].reshape(-1, 1)
    loss, gradients = model.loss_and_gradients(ids[:-1], ids[1:])
    return [np.float64(loss).tobytes(), *(array.tobytes() for array in gradients.values())]


def losses_of(model: LanguageModel, text: str, **named: Any) -> bytes:
    losses = model.score(text, **named).losses
    assert losses is not None
    return losses.tobytes()


def seed_of(text: str) -> int:
    return len(set(text[:9]))


CALLS: dict[str, Callable[[LanguageModel, str], Any]] = {
    "score": losses_of,
    "score, learning by sgd": lambda model, text: losses_of(model, text, dynamic="sgd"),
    "score, learning by rms": lambda model, text: losses_of(model, text[:200], dynamic="rms", learned=text),
    "score lines": lambda model, text: [line.nats.tobytes() for line in model.score_lines(text)],
    "evaluate": lambda model, text: model.evaluate(model.vocabulary.encode_known(text)[0]),
    "estimate": lambda model, text: model.estimate(model.vocabulary.encode_known(text * 10)[0]),
    "sample": lambda model, text: model.sample("ab", seed=seed_of(text), max_new_tokens=60),
    "samples": lambda model, text: [one.symbols for one in model.samples(["a", "b"], num_return_sequences=3)],
    "stream": lambda model, text: "".join(model.stream("b", SamplingConfig(seed=seed_of(text), max_new_tokens=60))),
    "compress, decompress": there_and_back,
    "gradients": gradients_of,
    "novelty": lambda model, text: recurra.novelty(text[:300], text[100:] + text),
    "sha256": lambda model, text: model.sha256,
}


@pytest.mark.usefixtures("_many_switches")
def test_concurrent_calls_give_same_bits_as_single_calls(model: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "model"
    model.save(path)
    jobs = [(name, make_text(seed, 300 + 7 * seed)) for seed in range(4) for name in CALLS]
    alone = [CALLS[name](model, text) for name, text in jobs]
    fresh = make_model(model.config.cell)  # its networks are made by whichever thread is the first

    def work(number: int) -> Any:
        name, text = jobs[number % len(jobs)]
        used = recurra.load(path) if number % 17 == 0 else fresh
        if number % 19 == 0:
            fresh.save(tmp_path / f"copy-{number}")
        return CALLS[name](used, text)

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(work, range(2 * len(jobs))))
    for number, result in enumerate(found):
        assert result == alone[number % len(jobs)], jobs[number % len(jobs)][0]
    assert recurra.load(tmp_path / "copy-19").sha256 == model.sha256


def test_first_use_of_model_by_several_threads(tmp_path: Path) -> None:
    """A new process has not loaded any kernel or module yet."""
    make_model("lstm").save(tmp_path / "model")
    program = f"""
import recurra, threading
from concurrent.futures import ThreadPoolExecutor
together = threading.Barrier(6)
def work(number):
    together.wait()
    model = recurra.load({str(tmp_path / "model")!r})
    return model.score("abc" * 50).nats, model.sample("ab", seed=3)
with ThreadPoolExecutor(6) as pool:
    print(len(set(pool.map(work, range(6)))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_style_of_one_figure_does_not_reach_another() -> None:
    import matplotlib as mpl

    before, entered, leave = dict(mpl.rcParams), threading.Event(), threading.Event()

    def draw() -> None:
        with style(PAPER, "second"):
            entered.set()
            leave.wait(30)

    other = threading.Thread(target=draw)
    with style(PAPER, "first"):
        other.start()
        assert not entered.wait(0.1)
    leave.set()
    other.join()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("cell", CELLS)
def test_served_model_can_be_used_meanwhile(cell: str) -> None:
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    from recurra.serving.generation_queue import GenerationJob, GenerationQueue, GenerationTask
    from recurra.serving.scoring_queue import IncrementalScorer, ScoringQueue

    model = make_model(cell)
    text, config = make_text(3), SamplingConfig(seed=2, max_new_tokens=200)
    ids = model.vocabulary.encode_known(text)[0]
    expected = losses_of(model, text), model.sample("ab", seed=2)
    logs = np.concatenate([model.reader.log_probabilities(ids[:-1], model.zero_state())[0]])
    logs = logs[np.arange(len(ids) - 1), ids[1:]]

    async def score(queue: ScoringQueue) -> bool:
        return np.array_equal((await IncrementalScorer(queue, 1).score(ids)).logs, logs)

    async def generate(queue: GenerationQueue) -> str:
        job = GenerationJob([GenerationTask(model.vocabulary.encode("ab"), config)], 60)
        queue.submit(job)
        return "".join([chunk.symbols async for chunk in job.chunks()])

    async def work() -> None:
        scoring, generation = ScoringQueue(model, "one", 100), GenerationQueue(model, "one", 100)
        try:
            with ThreadPoolExecutor(4) as pool:
                mine = [pool.submit(lambda: (losses_of(model, text), model.sample("ab", seed=2))) for _ in range(12)]
                scored = await asyncio.gather(*(score(scoring) for _ in range(6)))
                generated = await asyncio.gather(*(generate(generation) for _ in range(6)))
                found = [await asyncio.wrap_future(one) for one in mine]
        finally:
            scoring.close()
            generation.close()
            generation.join()
        assert scored == [True] * 6
        assert generated == [expected[1]] * 6
        assert found == [expected] * 12

    asyncio.run(work())
