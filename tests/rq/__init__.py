"""What RQ's own library, tools and stock producers see of a Millpond that runs, and may do to it (DESIGN.md section 5)."""
