"""Whether a project can still be built from here: ``poetry tf doctor --network``.

`asked` reads what a build would ask for out of the project's files; `registry`, `apt` and `locked`
ask for it, all by `web`; `survey` has it all done at the same time and says what came of it, and
`around` looks at what stands in the way on this machine. Only little is downloaded and nothing is
changed.
"""
