"""What is sent and answered, as pydantic models: the edge of the API, and what its OpenAPI description is made of."""
