"""Files: the only folder that knows what an image looks like on disk."""
