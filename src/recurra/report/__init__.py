"""What a run has shown, as one HTML page that loads nothing, and as figures.

data         what is read: the files of a run folder, checked
document     the page: its sections by `sections`, its figures by `figures` and `drawing`, its markup by `markup`
interactive  what answers in a browser: `panels` is the data, `packed` and `inlined` the model, web/ the scripts

What lies in a run folder may be anyone's: none of it becomes markup, and a file that makes no sense is an error.
"""
