"""Adapters to the metrics of torch-cam, pytorch-grad-cam, Captum and Quantus, which alone import these."""
