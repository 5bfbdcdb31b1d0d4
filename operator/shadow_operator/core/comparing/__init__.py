"""What differs between two answers: places, and never a value."""
