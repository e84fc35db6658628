"""What the live page is told."""
