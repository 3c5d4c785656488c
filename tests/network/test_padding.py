"""The targets that have no loss: the streams of a text fill with the number that the network leaves out."""

from recurra.network import output
from recurra.text import streams


def test_the_padding_of_a_stream_is_a_target_without_loss() -> None:
    assert streams.PADDING == output.PADDING
