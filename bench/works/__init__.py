"""One module for each work: ``figures(limits)`` measures it."""
