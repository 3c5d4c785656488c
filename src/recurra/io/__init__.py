"""Files: bounded reads of untrusted files, atomic writes, and tensor files.

bounded_io     open an untrusted file, and read at most a fixed number of bytes and values
atomic_write   write a file completely or leave the path unchanged
tensor_file    named arrays in a file with a checksum
"""
