"""The real Poetry with the plugin, against a local index."""
