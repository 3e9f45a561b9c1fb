"""The only place that picks drivers: a store file and what it declares become running
controllers (``application``). Nothing is imported here: commands need single parts of it."""
