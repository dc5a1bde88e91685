"""Model servers: their protocol, the client of OpenAI's API, and an embedded server for trials."""
