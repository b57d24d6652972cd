"""The verb ``benchmark``: the paper's tables, rebuilt on one data set with known truth."""
