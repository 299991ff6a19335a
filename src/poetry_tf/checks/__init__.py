"""The rules. Each module holds one family; `poetry_tf.checks.findings` finds and runs them all."""
