"""Leaving Conda, and pip: from the list of an environment to what a project requires.

`source` reads a file of any of the forms, `target` decides which TensorFlow on which Python it
meant, `sorting` what becomes of each of its lines. Nothing here writes, solves or asks an index.
"""
