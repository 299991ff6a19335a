"""What is done to a project, without a console."""
