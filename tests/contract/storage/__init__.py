"""One exam for everything that keeps what the gateway knows."""
