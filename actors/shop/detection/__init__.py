"""anomaly-detector: looks at each service every few seconds, learns what is usual, and opens an incident when it no
longer is."""
