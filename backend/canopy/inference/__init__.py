"""The model server: one protocol, one client, an embedded server for trying."""
