"""Exchange with other programs: export models to PyTorch, ONNX, MATLAB and Hugging Face, and import their files.

Read `format_entry` first, the interface of a format, then `format_registry`, which has the formats by name:

    folder           a model folder in the convention of Hugging Face, with a model card
    torch_file       the state_dict of torch.nn.RNN, LSTM or GRU and a Linear, as safetensors
    numpy_network    an .npz file with the arrays of DD2424 assignment 4 or a state_dict; import only
    onnx_graph       a graph from ids and a state to log-probabilities and the next state; export only
    matlab           the struct RNN of U, W, V, b and c, and a script that samples from the network

`exporting` and `importing` use the registry. `file_kinds` recognizes a file by its first bytes. If recurra does not
read the format, `file_kinds` names a command that converts the file, and `converter` has the scripts for it. `symbols`
puts a network's ids into recurra's order; `vocabulary_json`, `vocabulary_arrays` and `text_symbols` find
the character of each id.

Treat every file as untrusted: an import returns a model or raises an error, in bounded memory, and runs no code from
the file.
"""
