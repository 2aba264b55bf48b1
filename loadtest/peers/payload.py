"""What a job that does nothing is given, on all sides."""

PAYLOAD = {"number": 7, "name": "payload of about one hundred bytes", "flag": True}
