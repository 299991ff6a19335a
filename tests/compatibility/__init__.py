"""The plugin with real Poetrys, old and new: each in an environment that the tests make."""
