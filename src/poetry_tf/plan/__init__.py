"""Release + project + settings -> plan. The one place where such a decision is made."""
