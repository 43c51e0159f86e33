"""The only SQL of radiuscore, and where secrets are sealed."""
