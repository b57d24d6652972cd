"""Training methods: what one optimisation step is, one module each."""
