"""What remembers scores."""
