"""The same training, written with other tools: what `recurra` is timed and judged against."""
