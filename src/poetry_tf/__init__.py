"""TensorFlow development environments that are right, and stay right, in Poetry."""

program = "poetry tf"
"""How the user calls the commands; ``poetry-tf`` where Poetry's own command may not be at hand."""
