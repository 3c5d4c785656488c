"""The live page: a run as its files tell of it while it goes on. `routes` is what a browser asks for."""
