"""From the package list of a Conda or pip environment to the requirements of a project.

`formats` reads a list, `tensorflow` chooses the series and the Python it is for, `classify` decides
what becomes of each line, and `fit` matches that with an index. Nothing here writes, solves or
accesses an index.
"""
