"""Files: bounded reads of untrusted files, atomic writes, and tensor files."""
