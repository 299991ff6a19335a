"""What happens inside Poetry's own commands."""
