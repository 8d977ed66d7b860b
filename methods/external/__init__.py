"""Adapters to pytorch-grad-cam and Captum; nothing else in the project imports those two."""
