"""Characters in: named books, files and folders → one text, its vocabulary, and the order of reading."""
