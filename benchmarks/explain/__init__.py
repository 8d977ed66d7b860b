"""The explanation of one picture: its classes, its maps and the panel that shows them."""
