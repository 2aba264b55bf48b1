"""``make bench-intake``: how fast submissions are taken in, beside Tornado's own limits and the field's other ways."""
