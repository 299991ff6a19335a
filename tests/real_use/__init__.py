"""Whether what is locked works: TensorFlow and its companions, installed and used once, on the CPU.

`python -m tests.real_use` tries every series that the container's Pythons run.
"""
