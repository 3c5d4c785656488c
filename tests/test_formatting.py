"""Numbers, durations and losses as text."""

import pytest

from recurra.formatting import describe_loss, duration, plural, rate


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (44.4, "44 s"),
        (119, "119 s"),
        (120, "2 min"),
        (150.4, "2 min 30 s"),
        (3599.6, "1 h"),
        (5400, "1 h 30 min"),
        (90_000, "25 h"),
    ],
)
def test_duration_has_at_most_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_loss_is_in_nats_and_bits() -> None:
    assert describe_loss(0.6931472) == "0.693 nats/character (1.000 bits)"
    assert describe_loss(17.32868, 25, "byte") == "17.33 nats per 25 bytes (1.000 bits/byte)"


def test_low_rate_has_one_decimal() -> None:
    assert [rate(speed, "updates") for speed in (0.44, 9.5, 10.0, 20701.2)] == [
        "0.4 updates/s",
        "9.5 updates/s",
        "10 updates/s",
        "20,701 updates/s",
    ]


def test_one_has_singular_noun() -> None:
    assert (plural(0, "line"), plural(1, "line"), plural(2000, "line")) == ("0 lines", "1 line", "2,000 lines")
