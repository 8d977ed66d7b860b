"""Code that several methods share: captures, partial forward passes, stages."""
