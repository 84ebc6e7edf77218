"""The schema of the input that policies read and authors write against: models, and the JSON Schema they give."""

from policies.schema.generated import SCHEMA_FILE, input_schema
from policies.schema.shape import Shape, described, inside, resolved, shape_at, top_shape, types_of

__all__ = ["SCHEMA_FILE", "Shape", "described", "input_schema", "inside", "resolved", "shape_at", "top_shape", "types_of"]
