"""What a heatmap is: images, targets, layer -> raw relevance maps. Knows torch, nothing of configs, tables or files."""
