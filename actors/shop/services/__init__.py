"""The shop's services: auth-service, db-service, product-service and payment-service, each an actor."""
