"""Adapters to pytorch-grad-cam and Captum, the only modules that import these libraries."""
