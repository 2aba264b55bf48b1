"""Load on a running Millpond, and figures beside its peers'. It knows the product only by its HTTP interface."""
