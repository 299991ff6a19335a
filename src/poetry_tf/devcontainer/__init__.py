"""Changes to a devcontainer.json: what in it does not fit the plan, and the edits that fix it."""
