"""Write the committed schema: `python -m policies.schema`."""

from policies.schema.generated import SCHEMA_FILE, schema_text

SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
