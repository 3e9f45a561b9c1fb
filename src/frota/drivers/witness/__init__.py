"""What tells a dead host from a controller that lost its own network."""
