"""OPA as a library, in killable workers."""
