"""Other programs: models written for PyTorch, ONNX, MATLAB and Hugging Face, and models read from their files.

Read `format_entry` first, the interface of a format, then `format_registry`, which has the formats by name:

folder           a model folder in the convention of Hugging Face: weights, config, vocabulary and a card
torch_file       the state_dict of torch.nn.RNN, LSTM or GRU and a Linear, as safetensors
numpy_network    an .npz file with the arrays of a struct RNN, of min-char-rnn or of a state_dict; only read
onnx_graph       a graph that takes ids and a state and gives log-probabilities and the next state; never read
matlab           the struct RNN of U, W, V, b and c, and a script that samples from it

`exporting` and `importing` use the registry. `file_kinds` recognizes a file by its first bytes; for a file that is not
read, it names the command, and `converter` has the script, that converts it. `symbols` brings a network's ids into the
order of our vocabulary; `vocabulary_json`, `vocabulary_arrays` and `text_symbols` find the characters of the ids.

A file may be hostile: reading it ends in a model or in an error, in bounded memory, and runs no code of the file.
"""
