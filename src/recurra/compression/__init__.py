"""Lossless compression: an entropy coder, its file format, coding by a trained model and by an online one."""
