"""The report of a run: one HTML page that loads nothing, and its figures.

document      the page, built from the data that `runs.records` reads
sections      one module for each section; `page_parts` has their shared parts
figures       the figures; `drawing` makes their bytes
interactive   the panels that run in the browser, with the scripts of `web`
markup        HTML in which every plain string is escaped
tables        the tables and texts as LaTeX or Markdown

A run directory is untrusted input: none of its text becomes markup, and an invalid file is an error.
"""
