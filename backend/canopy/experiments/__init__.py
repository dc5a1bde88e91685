"""Two variants of a prompt compared: who compares, what people prefer, what that proves, when to stop."""
