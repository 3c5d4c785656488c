"""The report of a run: one HTML page that loads nothing, and its figures.

document      the page, from the data that `runs.records` reads
sections      one module for each section; `page_parts` has the pieces that they share
figures       the figures; `drawing` makes their bytes
interactive   the panels that run in the browser, by way of `web`
markup        HTML that escapes every plain string

A run directory may be anybody's: no text of it becomes markup, and a file that makes no sense is an error.
"""
