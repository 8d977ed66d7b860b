"""Adapters to the metrics of torch-cam, pytorch-grad-cam and Captum, the only modules of ours that import these."""
