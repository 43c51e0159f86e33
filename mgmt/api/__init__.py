"""The handlers of the API, one module per resource: parse, one call of the store, render."""
