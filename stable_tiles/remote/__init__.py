"""Stores behind URLs: objects, patience with who serves them, and who may write."""
