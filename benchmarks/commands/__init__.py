"""One command a file; each is a Hydra application on conf/."""
