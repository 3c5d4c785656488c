"""Writes with every cell, all rules set, and prints a digest of every bit: run in other modes.

Not a test: `test_stepping.py` runs it as a subprocess with the JIT on, off, and for a generic CPU.
"""

import hashlib

from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

CELLS = (("elman", 1), ("elman", 2), ("lstm", 2), ("gru", 1))
RULES = {"temperature": 0.9, "top_k": 15, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.2, "ban": "d"}

if __name__ == "__main__":
    vocabulary = Vocabulary.of("\n" + "".join(chr(97 + k) for k in range(20)))
    for cell, layers in CELLS:
        config = ModelConfig(cell=cell, hidden_size=11, layers=layers)
        model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.4))
        total = hashlib.sha256()
        for settings in ({}, RULES):
            for sample in model.samples("abc", max_new_tokens=12, num_return_sequences=9, **settings):
                total.update(sample.symbols.encode() + sample.log_probabilities.tobytes())
        print(cell, layers, total.hexdigest())
