"""Pictures of host groups for the terminal. Importing these modules loads rich."""
