"""Who sends a request: passwords, one-time passwords, tokens, API keys, and what is learned of failures."""
