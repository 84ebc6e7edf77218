"""The schema of the input that policies read and authors write against: models, and the JSON Schema made from them."""

from policies.schema.committed import SCHEMA_FILE, input_schema, schema_text
from policies.schema.fitting import Fit, Misfit, fit_into
from policies.schema.shape import Shape, described, inside, resolved, shape_at, top_shape, types_of

__all__ = [
    "SCHEMA_FILE",
    "Fit",
    "Misfit",
    "Shape",
    "described",
    "fit_into",
    "input_schema",
    "inside",
    "resolved",
    "schema_text",
    "shape_at",
    "top_shape",
    "types_of",
]
