"""The machine and the process: CPUs and memory, signals, optional packages, random numbers.

system_info            the CPUs and the memory of this process
signals                handlers of the signals that ask a process to stop
optional_dependencies  packages that some commands need
random_streams         our own random numbers, one named stream for each use
executable, shell      commands that a user can paste
"""
