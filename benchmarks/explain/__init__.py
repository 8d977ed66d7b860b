"""One picture: its classes, its maps and the panel that shows them."""
