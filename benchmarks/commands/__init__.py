"""The commands of the command line, one file per command; each is a Hydra application on conf/."""
