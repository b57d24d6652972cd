"""Train a model on random patches streamed from stores."""
