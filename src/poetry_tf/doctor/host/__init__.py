"""Probes of the machine for ``poetry tf doctor``: what stands between TensorFlow and the GPU.

`machine` is the narrow interface through which everything is learnt, so that a recorded machine
can stand in for a real one; `needs` says what is looked for, `findings` what came of it, and
`doctor` collects the probes. Nothing in here changes the machine.
"""
