"""The passages that the samples of a run copied from its text.

copied           {"best_sample": …, "final_sample": …}: the `novelty` of both, with positions in characters
longest_copies   {update: characters} of the samples during the training: the last ones, found in `PASSES` searches
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.inference.novelty import novelties, to_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recurra.runs.logs import SampleText
    from recurra.text.text import Text
    from recurra.text.vocabulary import Vocabulary

PASSES, TOGETHER = 4, 4096  # number of searches through the text, and characters of samples in each of them
SEARCHED_CHARACTERS = 1 << 16  # first characters of a sample that are searched; the memory grows with them


def figures(
    last_samples: Mapping[str, str], training_samples: Sequence[SampleText], text: Text, vocabulary: Vocabulary
) -> dict[str, Any]:
    """Return the keys `copied` and `longest_copies`; leave out a key without samples.

    `last_samples` are the samples of the best and the final model by name, `training_samples` those of earlier updates.
    """
    last_samples = {name: sample for name, sample in last_samples.items() if sample}
    spelled = [vocabulary.spell(sample) for sample in last_samples.values()]
    tables = [
        _in_characters(to_table(novelty), sample, vocabulary)
        for novelty, sample in zip(novelties(spelled, text), spelled, strict=True)
    ]
    longest = _longest(training_samples, text, vocabulary)
    return ({"copied": dict(zip(last_samples, tables, strict=True))} if last_samples else {}) | (
        {"longest_copies": longest} if longest else {}
    )


def _longest(samples: Sequence[SampleText], text: Text, vocabulary: Vocabulary) -> dict[str, int]:
    """Return the length of the longest copied passage of each of the last samples, by update."""
    waiting = [
        (str(sample.update), vocabulary.spell(sample.text)[:SEARCHED_CHARACTERS]) for sample in samples if sample.text
    ]
    longest: dict[str, int] = {}
    for _ in range(PASSES):
        batch = [waiting.pop()] if waiting else []
        while waiting and sum(len(sample) for _, sample in batch) + len(waiting[-1][1]) <= TOGETHER:
            batch.append(waiting.pop())
        for (update, sample), copied in zip(batch, novelties([sample for _, sample in batch], text), strict=True):
            start = copied.passages[0].start if copied.passages else 0
            longest[update] = len(vocabulary.unspell(sample[start : start + copied.longest]))
    return longest


def _in_characters(table: dict[str, Any], spelled: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """Convert the positions and lengths of the passages from symbols of the model, such as bytes, to characters."""
    for passage in table["passages"]:
        start = passage["start"]
        passage["text"] = vocabulary.unspell(passage["text"])
        passage["start"] = len(vocabulary.unspell(spelled[:start]))
        passage["length"] = len(passage["text"])
    table["longest"] = max((passage["length"] for passage in table["passages"]), default=0)
    return table
