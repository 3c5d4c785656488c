"""Read books, files and folders into one text; build its vocabulary, and batches of ids in training order.

The modules, in the order in which a text passes through them (T time steps, B streams, K symbols, N ids):

    reading      a book (`named_books`), a file, a folder (`sources`) or standard input
                 `exclusions` and `formats` reject files that are not plain text, `model_files` rejects models;
                 `notes` collects notes for the user
    decoding     from bytes to characters; `escapes` decodes escapes in strings that a user typed
    text         a text in memory; `long_text` and `id_file` store a longer text in a file
    vocabulary   from characters to ids; `equivalents` replaces characters by canonical equivalents
    splits       the training, validation and test parts of a text
    streams      inputs and targets, (n, T, B), in one of three orders
    words        words, for statistics of samples
"""
