"""Whether everything that a build needs is available from here: ``poetry tf doctor --network``.

`build_inputs` reads the project's files; `registry`, `apt` and `locked_files` query servers through
`client`; `survey` runs all of that in parallel, and `findings` makes the texts. `this_machine`
checks proxies, the drive and the route to NVIDIA. Little is downloaded, and nothing is changed.
"""
