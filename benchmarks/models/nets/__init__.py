"""Small networks whose trained weights ship with the package, one of each family."""
