"""The machine and the process: CPUs and memory, signals, optional packages, random numbers.

The modules of the package:

    system_info            the CPUs and the memory of this process
    signals                handlers of the signals that stop a process
    optional_dependencies  packages that only some commands need
    random_streams         random numbers that are equal on every machine, in one named stream for each use
    executable, shell      commands that a user can paste
"""
