"""What the gateway is about, as pure values: deliveries, dispatches, the record."""
