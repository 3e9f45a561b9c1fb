"""What touches the world, one package for each kind of thing; none imports another."""
