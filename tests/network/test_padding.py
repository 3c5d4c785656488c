"""Padding: the text streams and the output layer use the same target for padding."""

from recurra.network import output
from recurra.text import streams


def test_streams_pad_with_the_target_that_has_no_loss() -> None:
    assert streams.PADDING == output.PADDING
