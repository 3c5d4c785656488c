"""`recurra train`: output, files, exit codes and signals."""

import json
import re
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from calling import Call
from processes import started
from recurra.cli import main
from recurra.config import SETTINGS, TrainingConfig
from recurra.network.parameters import count
from recurra.runs.saved_model import load
from recurra.text.text import Text

SMALL = ["--preset", "classic", "--hidden-size", "8", "--updates", "200", "--log-every", "50", "--no-proof"]
KEYS = {
    "run", "cell", "parameters", "updates", "epochs", "characters_per_update", "updates_per_second",
    "characters_per_second", "smooth_loss", "best_smooth_loss", "best_update", "epoch_mean_nats_per_character",
    "validation_nats_per_character", "model_sha256", "seconds",
}  # fmt: skip


def test_start_and_end_blocks_of_train(call: Call, book: Path) -> None:
    code, out, err = call(
        "train", book, "--preset", "classic", "--hidden-size", "8", "--updates", "200", "--log-every", "50"
    )
    assert (code, out) == (0, "")
    for line in (
        r"^text      small: 4,000 characters, 22 symbols, sha256 [0-9a-f]{12}$",
        r"^network   elman, 8 units, [\d,]+ parameters; engine compiled$",
        r"^training  200 updates of 25 characters: 1\.26 epochs of 159 updates; seed 0$",
        r"^          adagrad, learning rate 0\.1; gradients clipped to ±5$",
        r"^run       runs/small$",
        r"^100 %  200 of 200 updates  smooth loss \d\d\.\d\d nats per 25 characters \(\d\.\d{3} bits/character\)  ",
        r"^trained   200 updates in .* s: [\d,]+ updates/s, [\d,]+ characters/s$",
        r"^smooth    .* nats per 25 characters .* at update 200: a moving average of the training loss$",
        r"^          lowest smooth loss: .* nats per 25 characters \(.* bits/character\) at update 200$",
        r"^epochs    1 complete; mean training loss \d\.\d{3} bits/character \(last: \d\.\d{3} nats\)$",
        r"^gradients right: relative difference to the numerical gradients \(complex step\) at most \de-1\d",
        r"^sample    from the best model \(update 200\):\n          \|",
        r"^report    runs/small/report.html$",
        r"^next      recurra sample runs/small$",
    ):
        assert re.search(line, err, re.MULTILINE), line
    assert "\x1b" not in err
    assert Path("runs/small/report.html").read_text().startswith("<!DOCTYPE html>")


def test_json_is_one_object_and_quiet_prints_nothing(call: Call, book: Path) -> None:
    code, out, err = call("train", book, *SMALL, "--json", "--quiet")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) >= KEYS | {"report"}
    assert not {"best_sample", "final_sample"} & set(found)
    assert found["updates"] == 200
    assert found["validation_nats_per_character"] is None
    assert found["report"] == "runs/small/report.html"


def test_json_with_progress_keeps_them_apart(call: Call, book: Path) -> None:
    code, out, err = call("train", book, *SMALL, "--json")
    assert code == 0
    assert json.loads(out)["cell"] == "elman"
    assert "updates/s" in err


def test_options_override_preset_settings(call: Call, book: Path) -> None:
    options: dict[str, Any] = {
        "seed": 7, "sequence_length": 20, "learning_rate": 0.05, "clip_value": 2.5, "engine": "reference",
        "validation": 0.1, "evaluate_every": 40, "log_every": 25, "sample_every": 50, "sample_length": 30,
        "checkpoint_every": 5.0, "keep": 2, "updates": 60,
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    code, _, err = call("train", book, "--hidden-size", 5, *words, "--run", "here", "--no-proof", "--preset", "classic")
    assert code == 0
    settings = tomllib.loads(Path("here/run.toml").read_text())
    assert settings["training"] == TrainingConfig(**options).to_table()
    assert settings["model"]["hidden_size"] == 5
    assert "held out  the last 10 % of the text" in err
    assert re.search(
        r"^best      \d\.\d{3} nats/character \(\d\.\d{3} bits\) on the held-out text, at update \d+: quote this loss$",
        err,
        re.M,
    )


def test_every_setting_is_an_option_and_arrives(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}
    monkeypatch.setattr("recurra.cli.commands.train._train", lambda texts, **named: found.update(named))
    assert call("train", *(f"--{name.replace('_', '-')}=1" for name in SETTINGS)).code == 0
    assert {name: float(found[name]) for name in SETTINGS} == dict.fromkeys(SETTINGS, 1.0)


def test_every_network_and_training_option_is_used(call: Call, book: Path) -> None:
    options = {
        "cell": "lstm", "hidden-size": 8, "layers": 2, "dropout": 0.25, "initial-scale": "none", "updates": 12,
        "seed": 3, "sequence-length": 10, "batch-size": 4, "order": "shuffled", "optimizer": "adamw",
        "learning-rate": 0.002, "schedule": "cosine", "warm-up": 2, "final-rate": 0.5, "clip-value": "none",
        "clip-norm": 7.5, "ema": 0.9, "engine": "compiled", "threads": 1, "shards": 2, "validation": 0.2,
        "evaluate-every": 4, "patience": 9, "plateau": 3, "log-every": 4, "sample-every": 6, "sample-length": 5,
        "checkpoint-every": 60, "keep": 2,
    }  # fmt: skip
    code, _, err = call("train", book, "--no-proof", *(f"--{name}={value}" for name, value in options.items()))
    assert code == 0
    table = tomllib.loads(Path("runs/small/run.toml").read_text())
    settings = table["training"] | table["model"]
    assert {name: settings[name.replace("-", "_")] for name in options} == options
    for line in (
        r"^network   lstm, 2 layers of 8 units, dropout 0\.25, 1,734 parameters; engine compiled$",
        r"^          4 streams of 10 characters, shuffled order, adamw, learning rate 0\.002, cosine schedule, "
        r"halved after 3 evaluations without improvement; gradient norm clipped to 7\.5; moving average of the "
        r"parameters with decay 0\.9$",
        r"^held out  the last 20 % of the text; patience 9 evaluations$",
    ):
        assert re.search(line, err, re.MULTILINE), err


def test_optimizer_hyperparameters_are_used_and_fixed(call: Call, book: Path) -> None:
    options = ["--optimizer", "nesterov", "--learning-rate", "0.0001"]
    code, _, err = call("train", book, *SMALL, *options, "--momentum", 0.5)
    assert code == 0
    assert "          nesterov, momentum 0.5, learning rate 0.0001; gradients clipped to ±5" in err
    table = tomllib.loads(Path("runs/small/run.toml").read_text())["training"]
    assert (table["momentum"], table["beta1"]) == (0.5, "none")
    code, _, err = call("train", "--resume", "--run", "runs/small", "--momentum", 0.9)
    assert code == 2
    assert "`momentum` of the run is 0.5, and cannot change when it is resumed; got 0.9." in err
    code, _, err = call("train", book, "--preset", "small", "--momentum", 0.9)
    assert code == 2
    assert "`momentum` must be left out with optimizer adam, because only momentum and nesterov use it; got 0.9." in err


def test_documents(call: Call, book: Path) -> None:
    options = ["--documents", "lines", "--batch-size", "4", "--sequence-length", "60", "--validation", "0.2"]
    code, out, err = call("train", book, *SMALL, *options, "--json")
    assert code == 0
    assert tomllib.loads(Path("runs/small/run.toml").read_text())["training"]["documents"] == "lines"
    assert "          4 streams of 60 characters, lines as separate documents, adagrad, learning rate 0.1" in err
    assert "nats per" not in err, "the losses are means a character"
    found = json.loads(out)
    assert 1 < found["characters_per_update"] <= 240
    assert 0 < found["validation_nats_per_character"] < 4
    assert call("train", book, *SMALL, "--documents", "none", "--quiet", "--run", "r").code == 0
    assert tomllib.loads(Path("r/run.toml").read_text())["training"]["documents"] == "none"


def test_an_order_that_is_none(call: Call, book: Path) -> None:
    code, out, err = call("train", book, *SMALL, "--order", "backward")
    assert (code, out) == (2, "")
    assert "`order` must be one of sequential, shuffled, random; got 'backward'." in err


def test_early_stop_is_reported(call: Call, book: Path) -> None:
    code, _, err = call(
        "train", book, "--hidden-size", "8", "--updates", "9000", "--learning-rate", "3", "--validation", "0.2",
        "--evaluate-every", "10", "--patience", "2", "--no-proof",
    )  # fmt: skip
    assert code == 0
    assert "          stopped early: the held-out loss stopped improving\n" in err
    assert json.loads(Path("runs/small/summary.json").read_text())["out_of_patience"] is True


def test_no_clipping(call: Call, book: Path) -> None:
    assert call("train", book, *SMALL, "--clip-value", "none", "--learning-rate", "0.01", "--quiet").code == 0
    assert tomllib.loads(Path("runs/small/run.toml").read_text())["training"]["clip_value"] == "none"


def test_default_book_is_labeled(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "recurra.text.named_books.default_book", lambda: Text("In the beginning. " * 9, "kjv", notes=("a hint",))
    )
    code, _, err = call("train", "--updates", "0", "--hidden-size", "2", "--sample-every", "0")
    assert code == 0
    assert err.startswith("text      kjv (the default book): 162 characters")
    assert "\n          note: a hint\n" in err
    assert "\nepochs    0 complete (0 % of the text read)\n" in err
    assert "smooth" not in err


def test_standard_input_and_notes(call: Call, book: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crlf = tmp_path / "crlf.txt"
    crlf.write_bytes(book.read_bytes().replace(b"\n", b"\r\n"))
    with book.open("r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code, _, err = call("train", "-", crlf, *SMALL)
    assert code == 0
    assert err.startswith("text      stdin+1-more: 8,000 characters")
    assert "\n          note: line ends converted from CRLF or CR to LF: 80, in crlf.txt\n" in err.replace(
        f"{tmp_path}/", ""
    )


def test_bytes(call: Call, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 5)
    code, _, err = call("train", "data.bin", "--encoding", "bytes", *SMALL)
    assert code == 0
    assert "data: 1,280 bytes, 256 symbols" in err
    assert "nats per 25 bytes" in err
    assert "bits/byte" in err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", err), "control characters are escaped"


def test_an_old_run_is_replaced_only_by_force(call: Call, book: Path) -> None:
    assert call("train", book, *SMALL, "--run", "r", "--quiet").code == 0
    code, _, err = call("train", book, *SMALL, "--run", "r", "--quiet")
    assert (code, err) == (
        2,
        "error: `r` is not empty.\n"
        "hint: `--resume` resumes the run in it, `--force` replaces it, `--run` chooses another folder.\n",
    )
    assert call("train", book, *SMALL, "--run", "r", "--quiet", "--force").code == 0


def test_plain_progress_is_no_flood(call: Call, book: Path) -> None:
    _, _, err = call("train", book, "--hidden-size", 8, "--updates", 3000, "--log-every", 10, "--no-proof")
    lines = [line for line in err.splitlines() if " updates/s  " in line]
    assert 10 <= len(lines) <= 25


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_checkpoint_and_printed_command_resumes(
    book: Path, command: list[str], environment: dict[str, str], call: Call, number: signal.Signals
) -> None:
    line = [*command, "train", str(book), "--preset", "seed", "--hidden-size", "8", "--updates", str(10**9)]
    line += ["--run", "r"]
    with started(line, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        seen = iter(process.stderr.readline, "")
        assert any("updates/s" in said for said in seen)
        process.send_signal(number)
        *_, last = process.stderr
        assert process.wait() == 128 + number
    assert re.fullmatch(
        rf"stopped by {number.name} at update [\d,]+; the checkpoint is saved in `r`\. "
        r"To resume: recurra train --resume --run r\n",
        last,
    )
    reached = json.loads(Path("r/checkpoints/latest.json").read_text())["update"]
    assert reached > 0
    words = last.rpartition("To resume: recurra ")[2].split()
    code, out, err = call(*words, "--updates", reached + 50, "--json", "--no-proof", "--sample-every", "0")
    assert code == 0, err
    assert f"\nresumed   at update {reached:,}\n" in err
    assert json.loads(out)["updates"] == reached + 50


def test_closed_stderr_pipe_does_not_stop_training(book: Path, command: list[str], environment: dict[str, str]) -> None:
    line = " ".join([*command, "train", str(book), *SMALL, "--run", "r", "--json", "2>&1 >out.json | head -n 1"])
    done = subprocess.run(["sh", "-c", line], capture_output=True, env=environment, text=True, check=True)
    assert done.stdout.startswith("text      small: ")
    assert json.loads(Path("out.json").read_text())["updates"] == 200


def test_ctrl_c_before_and_after_training_loop(call: Call, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recurra.runs.run.findings", stop)
    code, out, err = call("train", book, *SMALL, "--run", "r", "--quiet")
    assert (code, out) == (130, "")
    assert err.startswith("stopped by SIGINT after the last update; the model is saved in `r`, ")
    assert err.endswith(" To compute it: recurra train --resume --run r\n")
    monkeypatch.setattr("recurra.api.model_training.train_run", stop)
    code, _, err = call("train", book, *SMALL)
    assert (code, err) == (130, "stopped by SIGINT; there is no checkpoint yet, so nothing is saved.\n")


def test_reading_from_terminal_is_announced(call: Call, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with book.open("r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("recurra.cli.terminal.is_terminal", lambda stream: stream is stdin)
        _, _, err = call("train", "-", *SMALL)
    assert err.startswith("reading the text from the terminal; press Ctrl-D at the end.\n")


def test_same_command_gives_same_model(book: Path, tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        assert main(["train", str(book), *SMALL, "--run", name, "--quiet"]) == 0
        digests.add(json.loads(Path(name, "summary.json").read_text())["model_sha256"])
    assert len(digests) == 1


def test_preset_auto_chooses_settings_for_text_and_time(call: Call, book: Path) -> None:
    code, out, err = call("train", book, "--hidden-size", "8", "--time-limit", "30s", "--test", "0.05", "--no-proof")
    assert (code, out) == (0, "")
    for line in (
        r"^network   gru, 8 units, ",
        r"^chosen    by preset auto for 4,000 characters and 30 s; a larger network needs more text$",
        r"^training  204 updates of 192 characters within 30 s: 12 epochs of 17 updates; seed 0$",
        r"^held out  10 % of the text for validation, then the last 5 % as the test text$",
        r"^test      \d\.\d{3} nats/character .*, the best model on the test text: quote this loss$",
    ):
        assert re.search(line, err, re.MULTILINE), line
    assert "expected" not in err, "of a network of 8 units nothing is known"
    settings = tomllib.loads(Path("runs/small/run.toml").read_text(encoding="utf-8"))["training"]
    assert (settings["preset"], settings["time_limit"], settings["updates"]) == ("auto", 30.0, 204)


def test_network_that_can_memorize_text_gives_note(call: Call, book: Path) -> None:
    _, _, err = call("train", book, "--updates", "1", "--sample-every", "0", "--no-proof")
    assert "note: a network of 60,950 parameters can memorize 4,000 characters\n" in err
    assert "chosen    by preset auto for 4,000 characters; a larger network needs more text\n" in err
    expected = "expected held-out loss for English like Shakespeare's: 2.040 nats/character (2.943 bits)\n"
    assert f"          {expected}" in err
    _, _, err = call("train", book, "--from", "runs/small", "--updates", "1", "--sample-every", "0", "--no-proof")
    assert "chosen    by preset auto" in err
    assert "expected" not in err, "a model that learns on has what it had already"


def test_training_from_a_model(call: Call, book: Path, trained: Path) -> None:
    options = ["--from", trained, "--updates", "50", "--learning-rate", "0.001", "--no-proof", "--quiet", "--json"]
    code, out, _ = call("train", book, *options, "--validation", "0.1", "--evaluate-every", "25")
    found = json.loads(out)
    assert (code, found["cell"], found["updates"]) == (0, "elman", 50)
    assert found["validation_nats_per_character"] < 2  # a new one is near ln 22 = 3.1
    code, _, err = call("train", book, "--from", trained, "--cell", "lstm")
    assert (code, err) == (2, "error: `cell` of the model to start from is 'elman'; got 'lstm'.\n")
    code, _, err = call("train", book, "--from", trained, "--encoding", "bytes")
    assert code == 3
    assert "error: the model to start from reads characters, but the text consists of bytes.\nhint: leave " in err
    Path("more.txt").write_text("ÄÖ and words " * 20, encoding="utf-8")
    code, _, err = call("train", "more.txt", "--from", trained)
    assert code == 3
    assert "the model to start from lacks: 'Ä' (U+00C4), 'Ö' (U+00D6).\nhint: add them" in err
    code, out, _ = call(
        "train", "more.txt", *options, "--extend-vocabulary", "--run", "runs/more", "--preset", "classic"
    )
    assert (code, json.loads(out)["parameters"]) == (0, count(load(trained).parameters) + 2 * 17)
    assert {"Ä", "Ö"} < set(load("runs/more").vocabulary.symbols)
    code, _, err = call("train", "more.txt", "--extend-vocabulary")
    assert (code, err.splitlines()[0]) == (2, "error: `extend_vocabulary` needs a model to start from.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time-limit", "soon"], "`time_limit` must be a duration such as 90s, 10m or 2h; got 'soon'."),
        (["--time-limit", "-3s"], "`time_limit` must be a positive finite number; got -3.0."),
        (["--time-limit", "10m", "--updates", "5"], "give `updates` or `time_limit`, not both."),
        (["--checkpoint-every", "x"], "`checkpoint_every` must be a duration such as 90s, 10m or 2h; got 'x'."),
        (["--validation", "0.5", "--test", "0.5"], "`validation` and `test` must leave at least 0.05 of the text"),
        (["--max-epochs", "nan"], "`max_epochs` must be a finite number, at least 0; got nan."),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_wrong_times_and_shares(call: Call, book: Path, options: list[str], message: str) -> None:
    code, out, err = call("train", book, *options)
    assert (code, out) == (2, "")
    assert f"error: {message}" in err


def test_resume(call: Call, book: Path) -> None:
    assert call("train", book, *SMALL, "--run", "r", "--quiet").code == 0
    code, _, err = call("train", "--resume", "--run", "r", "--no-proof")
    assert code == 0
    assert "resumed   at update 200: all updates are done; give `--updates N` to train longer\n" in err
    code, out, err = call("train", "--resume", "--run", "r", "--no-proof", "--updates", "400", "--json")
    assert code == 0
    assert err.startswith("text      small: 4,000 characters")
    assert "\nresumed   at update 200\n" in err
    assert "the default book" not in err
    resumed = json.loads(out)
    whole = json.loads(call("train", book, *SMALL[:4], "--updates", "400", *SMALL[6:], "--run", "w", "--json").out)
    assert resumed["model_sha256"] == whole["model_sha256"]
    assert resumed["smooth_loss"] == whole["smooth_loss"]
    assert Path("r/metrics.jsonl").read_bytes() == Path("w/metrics.jsonl").read_bytes()
    lowest = re.search(r"^ +lowest smooth loss: .*", err, re.MULTILINE)
    assert lowest
    assert lowest[0].endswith(f"at update {resumed['best_update']:,}")


def test_resume_keeps_settings_of_preset(call: Call, book: Path) -> None:
    options = ["--hidden-size", "8", "--updates", "10", "--sample-every", "0", "--no-proof", "--quiet"]
    assert call("train", book, *options, "--run", "r").code == 0
    before = tomllib.loads(Path("r/run.toml").read_text())
    assert call("train", "--resume", "--run", "r", "--updates", "20", "--no-proof", "--quiet").code == 0
    after = tomllib.loads(Path("r/run.toml").read_text())
    assert after["training"] == before["training"] | {"updates": 20}
    assert after["model"] == before["model"]
    code, _, err = call("train", "--resume", "--run", "r", "--preset", "classic")
    assert (code, err.splitlines()[0]) == (
        2, "error: `preset` of the run is 'auto', and cannot change when it is resumed; got 'classic'.",
    )  # fmt: skip


def test_resume_on_another_text_is_reported(call: Call, book: Path) -> None:
    assert call("train", book, *SMALL, "--run", "r", "--quiet").code == 0
    Path("more.txt").write_text("many books over few words.\n" * 90)
    code, _, err = call("train", "more.txt", "--resume", "--run", "r", "--updates", "300", "--no-proof")
    assert code == 0
    assert "\nresumed   at update 200, at the beginning of another text\n" in err


def test_damaged_checkpoint_gives_warning(call: Call, book: Path) -> None:
    assert call("train", book, *SMALL, "--run", "r", "--checkpoint-every", "0", "--quiet").code == 0
    newest = Path("r/checkpoints/update-000000000200.safetensors")
    newest.write_bytes(newest.read_bytes()[:-1])
    code, _, err = call("train", "--resume", "--run", "r", "--no-proof")
    assert code == 0
    assert err.startswith(f"warning: `{newest}` is damaged: ")
    assert "The file is renamed to bad-update-000000000200.safetensors. recurra tries the previous checkpoint.\n" in err
    newest.write_bytes(b"")
    for path in Path("r/checkpoints").glob("update-*"):
        path.write_bytes(b"")
    code, _, err = call("train", "--resume", "--run", "r", "--no-proof", "--quiet")
    assert code == 6
    assert err.startswith("error: every checkpoint of `r` is damaged: update-000000000200.safetensors, ")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            ["--resume"],
            2,
            "error: `--resume` needs `--run`.\nhint: name the run directory: `recurra train --resume --r",
        ),
        (
            ["--resume", "--run", "r", "--force"],
            2,
            "error: `--resume` cannot be combined with `--force`.\nhint: remove",
        ),
        (
            ["--resume", "--run", "r", "--from", "r"],
            2,
            "error: `--resume` cannot be combined with `--from`.\nhint: remove",
        ),
        (
            ["--resume", "--run", "none"],
            4,
            "error: there is no run `none`.\nhint: give a run directory, such as runs/kjv, or leave out `--resume`",
        ),
        (
            ["--resume", "--run", "."],
            4,
            "error: `.` has no checkpoint to resume from.\nhint: train from the beginning: `recurra train TEXT --force",
        ),
    ],
)
def test_resume_errors(call: Call, options: list[str], code: int, message: str) -> None:
    found, out, err = call("train", *options)
    assert (found, out) == (code, "")
    assert err.startswith(message)
