"""The commands, one module each: options, help and the call of `recurra.api`."""
