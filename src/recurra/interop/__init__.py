"""Other people's runtimes: what a model is there, and how theirs becomes one of ours.

folder   a model folder in the convention of Hugging Face: weights, config, vocabulary and a card
torch    the state_dict of torch.nn.RNN, LSTM or GRU and a Linear, as safetensors; of others also in an .npz file
numpy    an .npz file with the same arrays as a struct RNN, or min-char-rnn's; only read
onnx     a graph that takes ids and a state and gives log-probabilities and the next state; never read
matlab   the struct RNN of U, W, V, b and c, and a script that samples from it

What is not read is recognized by its first bytes (`file_kinds`), and `converter` has the scripts that convert it.

Whatever is read may be hostile: it ends in a model or in an error, in bounded memory, and no code in it runs.
"""
