"""A run as one page to look at: a single HTML file that needs nothing but a browser."""
