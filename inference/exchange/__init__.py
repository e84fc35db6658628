"""What happens to every request, whatever its wire format: one door, one exit."""
