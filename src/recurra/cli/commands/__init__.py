"""One module a command, of its name: what it takes, what its help says, and whom it calls."""
