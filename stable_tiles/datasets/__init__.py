"""The public data sets of the paper: what they are, and how to get them."""
