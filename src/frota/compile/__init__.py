"""What a fleet comes to in the words of the systems that run it. Pure."""
