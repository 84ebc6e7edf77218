"""The composition root: the only module that names an adapter, each inside its builder."""
