"""The rules. Each module holds one family; `poetry_tf.checks.run` finds and runs them all."""
