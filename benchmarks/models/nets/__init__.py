"""Small networks with trained weights in this package, one of each family of architectures."""
