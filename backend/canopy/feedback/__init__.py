"""Votes on responses, and the evaluation dataset that bad ones become."""
