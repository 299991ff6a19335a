"""Probes of the machine for ``poetry tf doctor``: what keeps TensorFlow from the GPU.

`machine` is the only interface to the machine, so a recorded machine can replace a real one;
`model` has what is required of it and what is found, and `probes` runs the probes. Nothing in here
changes the machine.
"""
