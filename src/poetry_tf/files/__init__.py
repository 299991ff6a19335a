"""The user's files: read whole, edited in place, written together or not at all. Knows no rule."""
