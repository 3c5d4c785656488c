"""The passages that the samples of a run copied from its text.

copied           {"best_sample": …, "final_sample": …}: their `novelty`, in characters, as JSON's types
longest_copies   {update: characters} of the samples on the way: of the last, as many as `PASSES` readings search
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.inference.novelty import novelties, to_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recurra.runs.logs import SampleText
    from recurra.text.text import Text
    from recurra.text.vocabulary import Vocabulary

PASSES, TOGETHER = 4, 4096  # how often the text is read for the samples on the way, for so many characters each time
SEARCHED_CHARACTERS = 1 << 16  # characters of a sample, its first, whose copies are looked for: memory grows with them


def figures(
    last: Mapping[str, str], on_the_way: Sequence[SampleText], text: Text, vocabulary: Vocabulary
) -> dict[str, Any]:
    """Both keys, of the `last` samples by name and those on the way; no key where there is no sample."""
    last = {name: sample for name, sample in last.items() if sample}
    spelled = [vocabulary.spell(sample) for sample in last.values()]
    found = [
        _in_characters(to_table(own), sample, vocabulary)
        for own, sample in zip(novelties(spelled, text), spelled, strict=True)
    ]
    longest = _longest(on_the_way, text, vocabulary)
    return ({"copied": dict(zip(last, found, strict=True))} if last else {}) | (
        {"longest_copies": longest} if longest else {}
    )


def _longest(samples: Sequence[SampleText], text: Text, vocabulary: Vocabulary) -> dict[str, int]:
    """The longest copied passage of each of the last samples, by update."""
    waiting = [
        (str(sample.update), vocabulary.spell(sample.text)[:SEARCHED_CHARACTERS]) for sample in samples if sample.text
    ]
    found: dict[str, int] = {}
    for _ in range(PASSES):
        batch = [waiting.pop()] if waiting else []
        while waiting and sum(len(own) for _, own in batch) + len(waiting[-1][1]) <= TOGETHER:
            batch.append(waiting.pop())
        for (update, own), copied in zip(batch, novelties([own for _, own in batch], text), strict=True):
            start = copied.passages[0].start if copied.passages else 0
            found[update] = len(vocabulary.unspell(own[start : start + copied.longest]))
    return found


def _in_characters(table: dict[str, Any], spelled: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """The passages of a model of bytes in characters, as far as they begin and end between two."""
    for passage in table["passages"]:
        start = passage["start"]
        passage["text"] = vocabulary.unspell(passage["text"])
        passage["start"] = len(vocabulary.unspell(spelled[:start]))
        passage["length"] = len(passage["text"])
    table["longest"] = max((passage["length"] for passage in table["passages"]), default=0)
    return table
