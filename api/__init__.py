"""The HTTP service: takes jobs in, answers where they stand, holds no state of its own."""
