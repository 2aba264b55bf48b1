"""The ladder: each server of the two articles, and Millpond at its end, under the same load in one run."""
