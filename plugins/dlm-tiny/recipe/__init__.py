"""The recipe that made the embedded base; run its modules from the folder above, as `python -m recipe.NAME`."""
