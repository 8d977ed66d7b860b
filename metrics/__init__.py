"""What a good heatmap is: a Case in, one number an image out."""
