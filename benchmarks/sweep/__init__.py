"""The sweep: methods at layers of a model, run, scored and timed on a dataset's images."""
