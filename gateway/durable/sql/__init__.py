"""The embedded event-sourced engine."""
