"""One model call from question to record. Read `pipeline` first."""
