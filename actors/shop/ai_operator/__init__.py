"""ai-operator, remedy, verify: what is to be done about an incident, whether that may be, and whether it has helped."""
