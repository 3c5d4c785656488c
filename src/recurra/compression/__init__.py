"""Lossless compression: a network predicts each symbol, and a range coder spends -log2 p bits on it.

entropy_coding         the range coder and the escape for unknown characters
container              the file of compressed blocks
model_codec            compress with a trained model; `model_decoder` is its fast decoder
adaptive_compression   compress without a model file; `online_learner` is the network that learns from the bytes
"""
