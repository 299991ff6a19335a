"""The ``poetry tf …`` commands, one module each."""
