"""The collector: it records every outcome once, and its keeper takes back the jobs of the dead and moves what is due."""
