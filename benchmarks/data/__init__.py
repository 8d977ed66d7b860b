"""Images with their labels and object masks: generated shapes, bundled photos, your own folder."""
