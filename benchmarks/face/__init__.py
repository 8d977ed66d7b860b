"""The Python face: what ``import heatmark`` offers, from names and from objects of the user's own."""
