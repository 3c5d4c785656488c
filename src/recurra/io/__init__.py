"""Files: bounded reads of untrusted files, atomic writes, and tensor files.

bounded_io     open a file that anybody may have written, and read it within limits
atomic_write   write a file whole or not at all
tensor_file    named arrays in one checked file; it uses both modules above
"""
