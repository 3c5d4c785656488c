"""Text in: books, files and folders become one text, its vocabulary, and sequences of ids in the order of training.

Read the modules in the order in which characters pass them:

reading      a book (`named_books`), a file, a folder (`sources`) or standard input
             `exclusions` and `formats` refuse files that are no plain text, `model_files` models; `inventory` and
             `notes` collect what the user should learn
decoding     bytes become characters; `escapes` decodes strings that a user typed
text         the text in memory; `long_text` and `id_file` keep a longer one in a file
vocabulary   characters become ids; `equivalents` finds other code points for the same character
splits       the training, validation and test parts of a text
streams      inputs and targets, T time steps of B streams, in one of three orders
words        words, for statistics of samples
"""
